# Image stands for the guest's kernel; add --initrd, -p for its command line, its disks and its networks.
crosvm run \
  -c 8 \
  -m 16384 \
  --vfio /sys/bus/pci/devices/0000:03:00.0 \
  Image
