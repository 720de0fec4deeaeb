qemu-system-aarch64 -machine virt,gic-version=3 -accel kvm -cpu host -smp 4 -m 8G -device vfio-pci,host=01:00.0
