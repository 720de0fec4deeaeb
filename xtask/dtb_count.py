#!/usr/bin/env python3
"""Counts what the planner must find in devicetree blobs, from what dtc makes of them instead of the planner's own reader.

usage: dtb_count.py DIRECTORY

Prints for each .dtb of the directory: file name, SMMUs, interrupt translation services, GICv2m frames, PCI host bridges,
with tabs between. Counted are nodes that are present: `status` is absent, `okay` or `ok`, of the node and all around it.
"""

import concurrent.futures
import os
import re
import subprocess
import sys

SMMUS = {
    "arm,smmu-v1",
    "arm,smmu-v2",
    "arm,smmu-v3",
    "arm,mmu-400",
    "arm,mmu-401",
    "arm,mmu-500",
    "cavium,smmu-v2",
    "nvidia,smmu-500",
    "qcom,smmu-v2",
}
PROPERTY = re.compile(r"([^=;]+?)(?: = (.*))?;$")


class Node:
    """A node with the properties that matter, while it is open."""

    def __init__(self, name, around):
        self.name = name
        self.around = around
        self.properties = {}

    def strings(self, name):
        value = self.properties.get(name)
        return re.findall(r'"([^"]*)"', value)[0].split("\\0") if value and '"' in value else []

    def is_present(self):
        status = self.strings("status")
        is_here = "status" not in self.properties or status in (["okay"], ["ok"])
        return is_here and (self.around is None or self.around.is_present())

    def is_pci(self):
        if "device_type" in self.properties:
            return self.strings("device_type")[:1] == ["pci"]
        return (
            self.name.split("@")[0] == "pcie"
            and "ranges" in self.properties
            and self.properties.get("#address-cells") == "<0x03>"
        )

    def counts(self):
        """SMMUs, services, frames and bridges that this node is."""
        if not self.is_present():
            return (0, 0, 0, 0)
        compatible = set(self.strings("compatible"))
        takes_msis = "msi-controller" in self.properties
        return (
            int(bool(compatible & SMMUS)),
            int("arm,gic-v3-its" in compatible and takes_msis),
            int("arm,gic-v2m-frame" in compatible and takes_msis),
            int(self.is_pci() and not (self.around and self.around.is_pci())),
        )


def count(path):
    command = ["dtc", "-q", "-f", "-I", "dtb", "-O", "dts", path]
    source = subprocess.run(command, capture_output=True, check=True, text=True, errors="replace").stdout
    total = [0, 0, 0, 0]
    node = None
    for line in source.splitlines():
        line = line.strip()
        if line.endswith("{"):
            node = Node(line[:-1].strip(), node)
        elif line == "};" and node:
            # dtc prints all properties of a node before the nodes in it, so each is complete when its children end.
            total = [sum(pair) for pair in zip(total, node.counts())]
            node = node.around
        elif node and (found := PROPERTY.match(line)):
            node.properties[found[1]] = found[2]
    return total


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    names = sorted(name for name in os.listdir(sys.argv[1]) if name.endswith(".dtb"))
    paths = [os.path.join(sys.argv[1], name) for name in names]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, counts in zip(names, pool.map(count, paths)):
            print(name, *counts, sep="\t")


main()
