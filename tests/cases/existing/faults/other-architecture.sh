qemu-system-ppc64 -M pseries -m 8G -device vfio-pci,host=0001:01:00.0
