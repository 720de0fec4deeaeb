qemu-system-x86_64 -machine q35,accel=kvm -cpu host,host-phys-bits-limit=39 -smp 8 -m 16G \
  -drive if=pflash,format=raw,readonly=on,file=OVMF_CODE_4M.fd -drive if=pflash,format=raw,file=vars.fd \
  -device vfio-pci,host=01:00.0 -device vfio-pci,host=01:00.1 -display none
