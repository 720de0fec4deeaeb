# Made for Cloud Hypervisor 53.0.
# Image stands for the guest's kernel or firmware; add its command line, disks and networks.
cloud-hypervisor \
  --cpus boot=8,max_phys_bits=39 \
  --memory size=16G,hugepages=on,hugepage_size=2M \
  --device path=/sys/bus/pci/devices/0000:01:00.0 path=/sys/bus/pci/devices/0000:02:00.0 \
  --kernel Image
