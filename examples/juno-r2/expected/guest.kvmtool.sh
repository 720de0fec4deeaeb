# Image stands for the guest's kernel; add -i for its initrd and -p for its command line.
lkvm run \
  --name juno-guest \
  -c 2 \
  -m 4096M \
  --vfio-pci 0000:03:00.0 \
  --vfio-pci 0000:08:00.0 \
  -k Image
