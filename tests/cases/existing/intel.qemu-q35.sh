qemu-system-x86_64 -machine q35,accel=kvm -cpu host,host-phys-bits=on,host-phys-bits-limit=39 -smp 8 -m 16G \
  -drive if=pflash,format=raw,readonly=on,file=OVMF_CODE.fd -drive if=pflash,format=raw,file=OVMF_VARS.fd \
  -device vfio-pci,host=01:00.0,multifunction=on,x-vga=on -device vfio-pci,host=01:00.1 -vga none -display none
