lkvm run -k Image -m16384 --vfio-pci 0000:01:00.0 --firmware KVMTOOL_EFI.fd --dump-dtb x.dtb --rng
