echo qemu-system-aarch64-like things are not started here
