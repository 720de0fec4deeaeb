/usr/libexec/qemu-kvm -machine virt-rhel9.4.0,gic-version=3 -accel kvm -cpu host -m 16G -smp 8 -device vfio-pci,host=0000:01:00.0
