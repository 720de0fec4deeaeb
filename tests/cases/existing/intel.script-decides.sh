#!/usr/bin/env bash
NVIDIA_GPU="01:00.0"
NVIDIA_SOUND="01:00.1"
PAR="-name win11 -enable-kvm"
PAR="${PAR} -cpu host,kvm=off"
PAR="${PAR} -M q35,accel=kvm"
PAR="${PAR} -m 8G"
if [[ ! -z ${NVIDIA_GPU} ]]; then
	PAR="${PAR} -device vfio-pci,host=${NVIDIA_GPU},bus=root.1,addr=00.0,multifunction=on,x-vga=on"
fi
if [[ ! -z ${NVIDIA_SOUND} ]]; then
	PAR="${PAR} -device vfio-pci,host=${NVIDIA_SOUND},bus=root.1,addr=00.1"
fi
sudo qemu-system-x86_64 ${PAR}
