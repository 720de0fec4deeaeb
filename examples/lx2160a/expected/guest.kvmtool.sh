# Image stands for the guest's kernel; add -i for its initrd and -p for its command line.
lkvm run \
  --name router \
  -c 4 \
  -m 8192M \
  --vfio-pci 0002:01:00.0 \
  -k Image
