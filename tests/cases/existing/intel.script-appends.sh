#!/bin/bash
set -e
VMNAME="cvm"; MEM=16384
CMD="/usr/local/bin/qemu-system-x86_64"
CMD+=" -enable-kvm -cpu host -smp 8 -m ${MEM}M"
CMD+=" -machine q35"
# Large 64-bit MMIO window (for GPU BAR mapping)
CMD+=" -fw_cfg name=opt/ovmf/X-PciMmio64Mb,string=262144"
CMD+=" -drive if=pflash,format=raw,unit=0,file=${UEFI_CODE},readonly=on"
CMD+=" -device pcie-root-port,id=pci.1,bus=pcie.0"
CMD+=" -device vfio-pci,host=0000:01:00.0,bus=pci.1"
if [ "$USE_CC" = "1" ]; then
    CMD+=" -machine memory-encryption=sev0,vmport=off"
fi
$CMD
