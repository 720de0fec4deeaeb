$ vcpu=1
$ memory="2G"
$ bdf="03:00.0"

$ qemu-system-x86_64 \
        -enable-kvm \
        -cpu host,host-cache-info=on \
        -smp cpus=${vcpu},sockets=1,threads=1,maxcpus=${vcpu} \
        -m   ${memory} \
        -drive file=test.qcow2,if=virtio \
        -device vfio-pci,host=${bdf},id=pnic \
        -serial telnet:127.0.0.1:1000,server,nowait \
        -net none -vga none -nographic -nodefaults
