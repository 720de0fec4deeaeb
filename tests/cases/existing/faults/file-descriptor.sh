exec 10</dev/vfio/devices/vfio0; qemu-system-x86_64 -accel kvm -cpu host -M q35 -m 4G -object iommufd,id=iommufd0,fd=11 -device vfio-pci,iommufd=iommufd0,fd=10
