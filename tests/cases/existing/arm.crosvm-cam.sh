crosvm run -c 4 --mem 4096 --pci cam=[start=0x10000,size=0x100000] --vfio /sys/bus/pci/devices/0000:01:00.0 Image
