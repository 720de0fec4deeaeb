qemu-system-aarch64 -machine virt,gic-version=3 -accel kvm -cpu host -smp 4 -m 2G,slots=1,maxmem=32G \
  -object memory-backend-ram,id=ram1,size=6G -device pc-dimm,id=upper,memdev=ram1,addr=0xc0000000 \
  -bios AAVMF_CODE.fd -device vfio-pci,host=0000:01:00.0
