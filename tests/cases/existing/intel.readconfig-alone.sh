# Machine
[machine]
graphics = "off"
type = "q35"
accel = "kvm"
usb = "off"

[global]
driver = "ICH9-LPC"
property = "disable_s3"
value = "1"

# Memory
[memory]
size = "4096M"
maxmem = "16G"
slots = "16"

[device "dev-gpu"]
driver = "vfio-pci"
bus = "qemu_pcie4"
addr = "00.0"
host = "0000:01:00.0"
