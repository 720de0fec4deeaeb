openvmm --processors 8 --memory 16GB --hv --no-vmbus --kernel Image -c 'console=ttyAMA0' --pcie-root-complex rc0,low_mmio=256M,high_mmio=64G \
  --pcie-root-port rc0:rp0 --iommu id=iommu0 --vfio host=0000:01:00.0,port=rp0,iommu=iommu0 --net uh:eth0
