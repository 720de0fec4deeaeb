lkvm run -c 8 -m 16384M@4096M --irqchip gicv3-its --hugetlbfs /dev/hugepages --vfio-pci 0000:01:00.0 --vfio-pci 0000:02:00.0 -k Image -p "console=ttyS0" --dump-dtb out.dtb
