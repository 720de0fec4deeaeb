qemu-system-aarch64 -machine virt -m 1G,max=2G -device vfio-pci,host=01:00.0
