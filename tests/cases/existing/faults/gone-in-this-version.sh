/opt/qemu-8.2.0/bin/qemu-system-x86_64 -machine q35 -m 8G -localtime
