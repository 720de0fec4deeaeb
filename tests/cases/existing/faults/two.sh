qemu-system-aarch64 -machine virt -m 1G -device vfio-pci,host=01:00.0
qemu-system-aarch64 -machine virt -m 2G -device vfio-pci,host=02:00.0
