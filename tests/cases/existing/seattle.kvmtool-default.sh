lkvm run -c 4 -m 4G --irqchip gicv2m --vfio-pci 0000:01:00.0 -k Image
