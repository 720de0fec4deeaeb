qemu-system-x86_64 -machine q35 -m 8G -device vfio-pci,host=10de:1b80
