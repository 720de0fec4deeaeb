qemu-system-aarch64 -machine virt -m 1G -device vfio-pci,host=01:00.0 -device frobnicator,size=1G -set device.x.y=z -object widget,id=w
