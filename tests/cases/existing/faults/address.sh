qemu-system-aarch64 -machine virt -m 1G -device vfio-pci,host=zero
