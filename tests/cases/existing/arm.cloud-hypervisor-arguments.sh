cloud-hypervisor --cpus boot=4,max_phys_bits=44 --memory size=8G,hugepages=on,hugepage_size=2M \
  --kernel Image --cmdline "console=ttyAMA0" --device path=/sys/bus/pci/devices/0000:01:00.0/ \
  --disk path=disk.img --serial tty --console off
