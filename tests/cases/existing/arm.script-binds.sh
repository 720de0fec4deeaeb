PCI_DEVICE='0000:01:00.0'
if [ ! -L "/sys/bus/pci/drivers/vfio-pci/${PCI_DEVICE}" ]; then
        echo "vfio-pci" > "/sys/bus/pci/devices/${PCI_DEVICE}/driver_override"
        echo "${PCI_DEVICE}" > /sys/bus/pci/drivers/vfio-pci/bind
fi

qemu-system-aarch64 -nographic -M virt -cpu host --enable-kvm \
        -bios u-boot.bin -smp 1 -m 2048 \
        -drive file=openwrt-armsr-armv8-generic-ext4-combined.img,format=raw,index=0,media=disk \
        -device "virtio-net,netdev=landev,disable-legacy=off,disable-modern=off" \
        -netdev "tap,id=landev,helper=/usr/lib/qemu-bridge-helper --br=br-lan,vhost=off" \
        -device vfio-pci,host=${PCI_DEVICE}
