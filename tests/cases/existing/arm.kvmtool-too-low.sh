lkvm run -k Image -m 1G@1G --vfio-pci 0000:01:00.0
