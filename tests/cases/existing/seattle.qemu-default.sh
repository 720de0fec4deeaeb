# The classic: virt's RAM lies where Seattle's root complex has its window.
qemu-system-aarch64 -machine virt -cpu host -enable-kvm -smp 2 -m 2G \
  -device vfio-pci,host=0000:01:00.0 -netdev user,id=n0 -device virtio-net-pci,netdev=n0
