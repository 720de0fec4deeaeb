qemu-system-aarch64 -readconfig claimed.cfg -accel kvm -cpu host -device vfio-pci,host=01:00.0
