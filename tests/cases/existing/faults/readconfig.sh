qemu-system-aarch64 -machine virt -m 1G -readconfig missing.cfg
