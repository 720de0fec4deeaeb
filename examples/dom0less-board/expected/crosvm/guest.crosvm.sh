# Image stands for the guest's kernel; add --initrd, -p for its command line, its disks and its networks.
crosvm run \
  -c 2 \
  -m 5120 \
  Image
