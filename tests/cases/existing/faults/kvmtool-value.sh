lkvm run -m 4G --vfio-pci
