#!/bin/sh
# A guest that somebody runs on a larger board: its memory starts where this one's addresses end.
exec lkvm run -c 2 -m 4G@16T --irqchip gicv3-its --vfio-pci 0000:01:00.0 -k Image -p "console=ttyS0"
