lkvm run -c 2 -m 4GiB --vfio-pci 01:00.0
