qemu-system-aarch64 -machine virt -m 1G -device vfio-pci,host=01:00.0 -append "$CMDLINE"
