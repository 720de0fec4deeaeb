# The default of 46 bits, for a host whose CPUs have 39: both end where the IOMMU does.
cloud-hypervisor --cpus boot=4 --memory size=16G --kernel vmlinux --device path=/sys/bus/pci/devices/0000:03:00.0/
