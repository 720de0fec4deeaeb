# Image stands for the guest's kernel; add --initrd, -p for its command line, its disks and its networks.
crosvm run \
  -c 8 \
  -m 16384 \
  --hugepages \
  --vfio /sys/bus/pci/devices/0000:01:00.0 \
  --vfio /sys/bus/pci/devices/0000:02:00.0 \
  Image
