cloud-hypervisor --cpus boot=8 --memory size=16G,hotplug_size=8G --kernel Image \
  --platform num_pci_segments=4,iommufd=off --pci-segment pci_segment=1,mmio64_aperture_weight=4 pci_segment=3,mmio32_aperture_weight=6 \
  --device path=/sys/bus/pci/devices/0000:01:00.0,pci_segment=1 path=/sys/bus/pci/devices/0000:02:00.0,pci_segment=3
