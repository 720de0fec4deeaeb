qemu-system-x86_64 -machine q35 -m 1G -device amd-iommu -device vfio-pci,host=01:00.0
