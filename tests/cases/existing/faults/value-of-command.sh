qemu-system-x86_64 -machine q35 -m 8G -smp $(nproc)
