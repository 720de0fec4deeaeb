# Image stands for the guest's kernel; add -i for its initrd and -p for its command line.
lkvm run \
  --name radar \
  -c 2 \
  -m 5120M \
  -k Image
