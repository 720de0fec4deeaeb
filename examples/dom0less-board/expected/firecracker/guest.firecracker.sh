# vmlinux in firecracker.json stands for the guest's kernel; add boot_args, drives and networks there.
firecracker \
  --no-api \
  --enable-pci \
  --config-file firecracker.json
