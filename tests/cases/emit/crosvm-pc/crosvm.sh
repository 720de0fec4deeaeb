# Image stands for the guest's kernel; add --initrd, -p for its command line, its disks and its networks.
crosvm run \
  -c 8 \
  -m 16384 \
  --pci 'mem=[start=0xc0000000,size=0x38000000]' \
  --vfio /sys/bus/pci/devices/0000:03:00.0 \
  Image
