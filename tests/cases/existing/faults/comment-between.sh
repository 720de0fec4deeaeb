qemu-system-x86_64 -machine q35,accel=kvm -cpu host -m 8G \
# -vga std \
  -device vfio-pci,host=01:00.0
