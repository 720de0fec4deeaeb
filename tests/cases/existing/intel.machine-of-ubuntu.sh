/usr/bin/qemu-system-x86_64 -machine pc-q35-noble-v2,usb=off -accel kvm -cpu host -m size=8388608k -smp 4 -device vfio-pci,host=0000:03:00.0
