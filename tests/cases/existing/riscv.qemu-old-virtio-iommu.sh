/opt/qemu-8.2.2/bin/qemu-system-riscv64 -machine virt,aia=aplic-imsic -accel kvm -device virtio-iommu-pci -cpu host -smp 4 -m 8G -kernel Image -append console=ttyS0 -device vfio-pci,host=0000:01:00.0
