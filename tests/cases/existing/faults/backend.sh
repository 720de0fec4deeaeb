qemu-system-aarch64 -machine virt,memory-backend=gone -m 1G -device vfio-pci,host=01:00.0
