# Image stands for the guest's kernel; add -r for its initrd, its disks and its networks.
openvmm \
  --processors 8 \
  --memory size=16G \
  --pcie-root-complex rc0,low_mmio=1G \
  --pcie-root-port rc0:rp0 \
  --vfio host=0000:81:00.0,port=rp0 \
  --kernel Image
