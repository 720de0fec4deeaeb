# Image stands for the guest's kernel; add -i for its initrd and -p for its command line.
lkvm run \
  --name nested \
  -c 2 \
  -m 1024M \
  --vfio-pci 0000:02:00.0 \
  -k Image
