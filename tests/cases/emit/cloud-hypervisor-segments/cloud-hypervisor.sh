# Made for Cloud Hypervisor 53.0.
# Image stands for the guest's kernel or firmware; add its command line, disks and networks.
cloud-hypervisor \
  --cpus boot=8 \
  --memory size=0 \
  --memory-zone id=mem0,size=8G,hugepages=on,hugepage_size=2M,host_numa_node=0 id=mem1,size=8G,hugepages=on,hugepage_size=2M,host_numa_node=1 \
  --numa 'guest_numa_id=0,cpus=[0-3],memory_zones=[mem0]' 'guest_numa_id=1,cpus=[4-7],memory_zones=[mem1],pci_segments=[1]' \
  --platform 'num_pci_segments=2,iommu_segments=[1],iommu_address_width=48' \
  --pci-segment pci_segment=1,mmio32_aperture_weight=2,mmio64_aperture_weight=4 \
  --device path=/sys/bus/pci/devices/0000:03:00.0,iommu=on,pci_segment=1 path=/sys/bus/pci/devices/0001:01:00.0,iommu=on,pci_segment=1 \
  --kernel Image
