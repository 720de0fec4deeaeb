qemu-system-aarch64 -machine virt -device vfio-pci,host=01:00.0 -m
