sudo ./firecracker --api-sock /run/fc.socket --enable-pci --config-file firecracker.cfg
