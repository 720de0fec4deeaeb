# Image stands for the guest's kernel; add -i for its initrd and -p for its command line.
lkvm run \
  --name guest \
  -c 8 \
  -m 16384M \
  --irqchip gicv2m \
  --vfio-pci 0000:03:00.0 \
  -k Image
