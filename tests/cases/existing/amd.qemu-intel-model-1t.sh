# A model that says GenuineIntel never moves its memory, and so runs into HyperTransport's range.
qemu-system-x86_64 -M q35 -accel kvm -cpu Skylake-Server,phys-bits=46 -smp 64 -m 1020G -device vfio-pci,host=41:00.0
