qemu-system-aarch64 -M virt,gic-version=3 -enable-kvm -cpu host -smp 4 -m 4G \
    -device virtio-iommu-pci,granule=host,aw-bits=48 \
    -device vfio-pci,host=01:00.0 -kernel Image -append 'console=ttyAMA0 root=/dev/vda' -serial stdio -display none
