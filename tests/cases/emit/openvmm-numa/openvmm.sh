# Its firmware is found by OPENVMM_UEFI_FIRMWARE; add the guest's disks and its networks.
openvmm \
  --processors 8 \
  --numa 'size=2G,host_numa_node=0,vps=[0-3]' \
  --numa 'size=2G,host_numa_node=1,vps=[4-7]' \
  --pcie-root-complex rc0 \
  --pcie-root-port rc0:rp0 \
  --vfio host=0000:03:00.0,port=rp0 \
  --uefi --no-vmbus
