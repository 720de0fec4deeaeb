# Made for Cloud Hypervisor 53.0.
# Image stands for the guest's kernel or firmware; add its command line, disks and networks.
cloud-hypervisor \
  --cpus boot=8 \
  --memory size=16G \
  --device path=/sys/bus/pci/devices/0000:03:00.0 \
  --kernel Image
