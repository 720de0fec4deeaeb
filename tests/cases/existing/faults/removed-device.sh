qemu-system-x86_64 -m 8G -device pci-assign,host=01:00.0
