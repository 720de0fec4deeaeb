# Image stands for the guest's kernel; add -i for its initrd and -p for its command line.
lkvm run \
  --name nfv0 \
  -c 8 \
  -m 16384M@524288M \
  --vfio-pci 0000:01:00.0 \
  -k Image
