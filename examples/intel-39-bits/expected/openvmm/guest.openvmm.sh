# Image stands for the guest's kernel; add -r for its initrd, its disks and its networks.
openvmm \
  --processors 8 \
  --memory size=16G,hugepages=on,hugepage_size=2M \
  --pcie-root-complex rc0,high_mmio=64G \
  --pcie-root-port rc0:rp0 \
  --vfio host=0000:01:00.0,port=rp0 \
  --pcie-root-port rc0:rp1 \
  --vfio host=0000:02:00.0,port=rp1 \
  --kernel Image
