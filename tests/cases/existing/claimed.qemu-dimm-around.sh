# Two gigabytes below the hole, the rest as a module above it.
DIMM=memory-backend-ram,id=ram1,size=6G
ARGS=(-m 2G,slots=1,maxmem=32G)
ARGS+=(-object $DIMM -device pc-dimm,id=dimm0,memdev=ram1,addr=0x100000000)
qemu-system-aarch64 -machine virt,gic-version=3 -accel kvm -cpu host -smp 4 "${ARGS[@]}" \
  -bios AAVMF_CODE.fd -device vfio-pci,sysfsdev=/sys/bus/pci/devices/0000:01:00.0
