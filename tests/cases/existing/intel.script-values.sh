#!/bin/bash
export MEM=$((8*1024)) GPU=01:00.0
readonly CPUS=4
declare -a OPTS=(-nographic)
OPTS+=(-device "vfio-pci,host=$GPU")
set -- -device vfio-pci,host=01:00.1 "$@"
qemu-system-x86_64 -machine q35,accel=${ACCEL:-kvm} -cpu host -m "$MEM" -smp ${CPUS:=2} "${OPTS[@]}" "$@"
