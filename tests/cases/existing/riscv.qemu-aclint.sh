qemu-system-riscv64 -machine virt,aclint=on -accel kvm -cpu host -smp 4 -m 8G -kernel Image -append console=ttyS0 -device vfio-pci,host=0000:01:00.0
