# iommu=smmuv3 looks right and is not: QEMU's own SMMU has no MAP notifier.
qemu-system-aarch64 -M virt,iommu=smmuv3,gic-version=3 -enable-kvm -cpu host -smp 4 -m 4G \
    -device vfio-pci,host=01:00.0 -nographic
