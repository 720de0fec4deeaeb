cloud-hypervisor --cpus boot=8 --memory size=16G --kernel Image --platform num_pci_segments=2,iommu_segments=[0,2] --device path=/sys/bus/pci/devices/0000:01:00.0
