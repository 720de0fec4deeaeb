qemu-system-x86_64 -m 2G -object memory-backend-ram,id=a,size=1G -object memory-backend-ram,id=b,size=1G -numa node,nodeid=0,memdev=a -numa node,nodeid=0,memdev=b
