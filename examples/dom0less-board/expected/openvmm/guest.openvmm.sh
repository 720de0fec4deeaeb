# Image stands for the guest's kernel; add -r for its initrd, its disks and its networks.
openvmm \
  --processors 2 \
  --memory size=5G \
  --pcie-root-complex rc0,low_mmio=2G \
  --kernel Image
