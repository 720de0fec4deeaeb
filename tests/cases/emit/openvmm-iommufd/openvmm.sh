# Image stands for the guest's kernel; add -r for its initrd, its disks and its networks.
openvmm \
  --processors 8 \
  --memory size=16G,hugepages=on,hugepage_size=2M \
  --pcie-root-complex rc0,low_mmio=256M,high_mmio=64G \
  --iommu id=iommu0 \
  --pcie-root-port rc0:rp0 \
  --vfio host=0000:03:00.0,port=rp0,iommu=iommu0 \
  --pcie-root-port rc0:rp1 \
  --vfio host=0001:01:00.0,port=rp1,iommu=iommu0 \
  --kernel Image
