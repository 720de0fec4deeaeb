sudo lkvm run --name plain --cpus 2 --mem 2G --vfio-pci 0000:01:00.0 --kernel Image
