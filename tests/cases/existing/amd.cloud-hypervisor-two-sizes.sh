cloud-hypervisor --cpus boot=4 --memory size=0 --memory-zone id=a,size=4G,hugepages=on,hugepage_size=1G id=b,size=4G --kernel vmlinux --device path=/sys/bus/pci/devices/0000:41:00.0
