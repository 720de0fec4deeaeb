lkvm setup myroot && lkvm run -d myroot -m 4G --vfio-pci 1:00.0
