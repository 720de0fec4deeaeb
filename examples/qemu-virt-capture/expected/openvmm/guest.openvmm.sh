# Image stands for the guest's kernel; add -r for its initrd, its disks and its networks.
openvmm \
  --processors 2 \
  --memory size=1G \
  --pcie-root-complex rc0 \
  --pcie-root-port rc0:rp0 \
  --vfio host=0000:02:00.0,port=rp0 \
  --kernel Image
