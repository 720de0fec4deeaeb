# Image stands for the guest's kernel; add --initrd, -p for its command line, its disks and its networks.
crosvm run \
  -c 2 \
  -m 4096 \
  --vfio /sys/bus/pci/devices/0000:03:00.0 \
  --vfio /sys/bus/pci/devices/0000:08:00.0 \
  Image
