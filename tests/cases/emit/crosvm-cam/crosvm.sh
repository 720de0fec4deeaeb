# Image stands for the guest's kernel; add --initrd, -p for its command line, its disks and its networks.
crosvm run \
  -c 8 \
  -m 16384 \
  --hugepages \
  --pci 'mem=[start=0x10000000,size=0x10000000],cam=[start=0x30000000]' \
  --vfio /sys/bus/pci/devices/0000:03:00.0,iommu=viommu \
  Image
