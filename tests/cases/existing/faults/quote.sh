qemu-system-aarch64 -machine virt -m 1G -append "console=ttyAMA0
