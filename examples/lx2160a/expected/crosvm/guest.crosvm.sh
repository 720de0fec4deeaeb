# Image stands for the guest's kernel; add --initrd, -p for its command line, its disks and its networks.
crosvm run \
  -c 4 \
  -m 8192 \
  --vfio /sys/bus/pci/devices/0002:01:00.0 \
  Image
