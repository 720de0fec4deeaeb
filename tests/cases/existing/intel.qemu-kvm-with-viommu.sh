#!/bin/bash
set -e
modprobe vfio-pci
MEM=${MEM:-4G}
numactl --membind=0 /usr/libexec/qemu-kvm -M q35,kernel-irqchip=split -cpu host -m $MEM -smp 2 \
  -device intel-iommu,intremap=on,caching-mode=on,aw-bits=39 -device vfio-pci,host=0000:03:00.0 \
  -drive file=disk.qcow2,if=virtio -nographic 2>>qemu.log &
