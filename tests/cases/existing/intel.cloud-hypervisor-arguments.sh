cloud-hypervisor --cpus boot=2 --memory size=4G --device path=/sys/bus/pci/devices/0000:03:00.0/,iommu=on --firmware CLOUDHV.fd
