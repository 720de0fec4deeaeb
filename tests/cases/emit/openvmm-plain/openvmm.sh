# Image stands for the guest's kernel; add -r for its initrd, its disks and its networks.
openvmm \
  --processors 8 \
  --memory size=16G \
  --pcie-root-complex rc0 \
  --pcie-root-port rc0:rp0 \
  --vfio host=0000:03:00.0,port=rp0 \
  --kernel Image
