# Made for Cloud Hypervisor 53.0.
# Image stands for the guest's kernel or firmware; add its command line, disks and networks.
cloud-hypervisor \
  --cpus boot=8 \
  --memory size=16G \
  --platform num_pci_segments=2 \
  --device path=/sys/bus/pci/devices/0000:03:00.0,pci_segment=0 path=/sys/bus/pci/devices/0001:01:00.0,pci_segment=1 \
  --kernel Image
