qemu-system-aarch64 -machine virt -m 1G -smp four -device vfio-pci,host=01:00.0
