/opt/qemu-11.1.3/bin/qemu-system-aarch64 -machine virt-11.1,gic-version=3 -accel kvm -cpu host -smp 8 -m 16G \
 -object iommufd,id=iommufd0 \
 -device pxb-pcie,id=pcie.1,bus_nr=64,bus=pcie.0 -device arm-smmuv3,primary-bus=pcie.1,id=smmu0,accel=on \
 -device pcie-root-port,id=rp0,bus=pcie.1,chassis=1 -device vfio-pci,host=0000:01:00.0,bus=rp0,iommufd=iommufd0 \
 -device pxb-pcie,id=pcie.2,bus_nr=128,bus=pcie.0 -device arm-smmuv3,primary-bus=pcie.2,id=smmu1,accel=on \
 -device pcie-root-port,id=rp1,bus=pcie.2,chassis=2 -device vfio-pci,host=0000:02:00.0,bus=rp1,iommufd=iommufd0
