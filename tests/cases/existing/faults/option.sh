qemu-system-aarch64 -machine virt -m 1G -tapioca -device vfio-pci,host=01:00.0
