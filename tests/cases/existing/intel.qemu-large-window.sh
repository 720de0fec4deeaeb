# pci-hole64-size=1T does not fit 39 bits.
qemu-system-x86_64 -machine q35,accel=kvm -cpu host -smp 8 -m 16G -global q35-pcihost.pci-hole64-size=1T \
  -device vfio-pci,host=01:00.0 -device vfio-pci,host=01:00.1
