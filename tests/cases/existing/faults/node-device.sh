lkvm run -m 8G --vfio-pci pci_0000_01_00_0
