# An EPYC model: memory above 4 GiB moves to 1 TiB.
qemu-system-x86_64 -M q35 -accel kvm -cpu EPYC,host-phys-bits=on -smp 64 -m 1020G -device vfio-pci,host=41:00.0
