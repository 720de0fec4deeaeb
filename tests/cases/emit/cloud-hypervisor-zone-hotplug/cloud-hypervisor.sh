# Made for Cloud Hypervisor 53.0.
# Image stands for the guest's kernel or firmware; add its command line, disks and networks.
cloud-hypervisor \
  --cpus boot=8 \
  --memory size=0,hotplug_method=virtio-mem \
  --memory-zone id=mem0,size=8G,hugepages=on,hugepage_size=2M,host_numa_node=0 id=mem1,size=8G,hugepages=on,hugepage_size=2M,host_numa_node=1,hotplug_size=8G \
  --numa 'guest_numa_id=0,cpus=[0-3],memory_zones=[mem0]' 'guest_numa_id=1,cpus=[4-7],memory_zones=[mem1]' \
  --device path=/sys/bus/pci/devices/0000:03:00.0 \
  --kernel Image
