# Made for Cloud Hypervisor 53.0.
# Image stands for the guest's kernel or firmware; add its command line, disks and networks.
cloud-hypervisor \
  --cpus boot=8 \
  --memory size=16G \
  --platform iommu_address_width=48,iommufd=on \
  --device path=/sys/bus/pci/devices/0000:03:00.0,iommu=on path=/sys/bus/pci/devices/0001:01:00.0,iommu=on \
  --kernel Image
