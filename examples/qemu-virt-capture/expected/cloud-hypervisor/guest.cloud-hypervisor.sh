# Made for Cloud Hypervisor 53.0.
# Image stands for the guest's kernel or firmware; add its command line, disks and networks.
cloud-hypervisor \
  --cpus boot=2 \
  --memory size=1G \
  --device path=/sys/bus/pci/devices/0000:02:00.0 \
  --kernel Image
