# Image stands for the guest's kernel; add -i for its initrd and -p for its command line.
lkvm run \
  --name 'a,b=c"'\''$(reboot)`id`\ __-- ]]><!-- & __ .._x' \
  -c 8 \
  -m 16384M \
  --vfio-pci 0000:03:00.0 \
  -k Image
