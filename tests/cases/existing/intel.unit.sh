[Unit]
Description=QEMU virtual machine
Wants=network-online.target

[Service]
User=root
Environment=PIDFILE=/run/qemu/%i.pid
ExecStartPre=/usr/bin/mkdir -p /run/qemu
ExecStart=/usr/bin/qemu-system-x86_64 -name %i -machine q35,accel=kvm -cpu host -m 8G \
    -device vfio-pci,host=0000:03:00.0 \
    -nographic
ExecStop=/bin/sh -c "echo system_powerdown | nc -U /run/qemu/%i.sock"
