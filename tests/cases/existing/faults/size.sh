qemu-system-aarch64 -machine virt -m 16GiB -device vfio-pci,host=01:00.0
