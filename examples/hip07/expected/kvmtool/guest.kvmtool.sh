# Image stands for the guest's kernel; add -i for its initrd and -p for its command line.
lkvm run \
  --name packet-gw \
  -c 8 \
  -m 16384M@4096M \
  --vfio-pci 0000:81:00.0 \
  -k Image
