ssh root@host 'qemu-system-x86_64 -machine q35 -m 4G -enable-kvm -cpu host -device vfio-pci,host=03:00.0'
