lkvm run -m 4G --warp 9 --vfio-pci 01:00.0
