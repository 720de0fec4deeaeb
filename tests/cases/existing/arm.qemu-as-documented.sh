#!/bin/sh
# Eight CPUs, two nodes of huge pages, a disk and a network card, no guest IOMMU.
exec qemu-system-aarch64 -machine virt-11.1,gic-version=3,its=on,highmem-mmio-size=1T,acpi=on -accel kvm -cpu host \
  -smp 8,sockets=2,cores=4,threads=1 -m 16G \
  -object memory-backend-file,id=ram0,size=8G,mem-path=/dev/hugepages1G,share=on,prealloc=on,host-nodes=0,policy=bind \
  -object memory-backend-file,id=ram1,size=8G,mem-path=/dev/hugepages1G,share=on,prealloc=on,host-nodes=1,policy=bind \
  -numa node,nodeid=0,cpus=0-3,memdev=ram0 -numa node,nodeid=1,cpus=4-7,memdev=ram1 \
  -drive if=pflash,format=raw,readonly=on,file=AAVMF_CODE.fd -drive if=pflash,format=raw,file=vars.fd -nodefaults \
  -object iommufd,id=iommufd0 \
  -device pxb-pcie,id=pcie.1,bus_nr=64,bus=pcie.0,numa_node=0 \
  -device pcie-root-port,id=rp0,bus=pcie.1,chassis=1,slot=1 -device vfio-pci,host=0000:01:00.0,bus=rp0 \
  -device pcie-root-port,id=rp1,bus=pcie.0,chassis=2,slot=1 -device vfio-pci,host=0000:02:00.0,bus=rp1
