//! Which words of the kernel's command line a redacted capture keeps.
//!
//! A command line may hold anything: UUIDs of file systems, MAC addresses, host names, passwords. So the words are named
//! that stay, those that change what the IOMMU, VFIO or PCI do, and all others go.

/// Parameters that are kept (Documentation/admin-guide/kernel-parameters.txt). `-` and `_` are the same in names
/// (`parameqn` in kernel/params.c); here is `_`.
pub(super) const PARAMETERS: &[&str] = &[
    "acpi",
    "amd_iommu",
    "amd_iommu_dump",
    "amd_iommu_intr",
    "crashkernel",
    "default_hugepagesz",
    "efi",
    "hugepages",
    "hugepagesz",
    "intel_iommu",
    "intremap",
    "iommu",
    "ivrs_acpihid",
    "ivrs_hpet",
    "ivrs_ioapic",
    "kernelcore",
    "mem",
    "memmap",
    "movablecore",
    "nointremap",
    "nokaslr",
    "nopat",
    "nox2apic",
    "pci",
    "pcie_acs_override",
    "pcie_ports",
    "swiotlb",
];

/// Modules of which every parameter is kept.
pub(super) const MODULES: &[&str] = &[
    "arm64",
    "arm_smmu",
    "arm_smmu_v3",
    "iommu",
    "iommufd",
    "irqchip",
    "kvm",
    "kvm_amd",
    "kvm_arm",
    "kvm_intel",
    "vfio",
    "vfio_iommu_spapr_tce",
    "vfio_iommu_type1",
    "vfio_pci",
    "vfio_pci_core",
    "virtio_iommu",
];

/// Whether a word stays. One with a quote does not: it may be a part of a value with spaces.
#[must_use]
pub fn is_kept(word: &str) -> bool {
    let name = word.split('=').next().unwrap_or_default().replace('-', "_");
    let known = match name.split_once('.') {
        Some((module, _)) => MODULES.contains(&module),
        None => PARAMETERS.contains(&name.as_str()),
    };
    known && !word.contains('"')
}

/// The words that stay, one space apart, and how many go.
#[must_use]
pub fn kept(command_line: &str) -> (String, usize) {
    let words = command_line.split([' ', '\t', '\n']).filter(|word| !word.is_empty());
    let (kept, gone): (Vec<&str>, Vec<&str>) = words.partition(|word| is_kept(word));
    (kept.join(" "), gone.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches_of_the_iommu_stay_and_everything_else_goes() {
        let line = "BOOT_IMAGE=/vmlinuz root=UUID=4a1e-77 ro intel_iommu=on,sm_on iommu.passthrough=1 \
                    vfio-pci.ids=8086:10d3 vfio_iommu_type1.allow_unsafe_interrupts=1 pci=\"a b\" b\" \
                    ip=::::alpha:eth0 iommufd iommu pcie_acs_override=downstream quiet\n";
        assert_eq!(
            kept(line),
            (
                "intel_iommu=on,sm_on iommu.passthrough=1 vfio-pci.ids=8086:10d3 \
                 vfio_iommu_type1.allow_unsafe_interrupts=1 iommu pcie_acs_override=downstream"
                    .to_owned(),
                9
            )
        );
    }

    #[test]
    fn names_are_listed_once_and_in_order() {
        for list in [PARAMETERS, MODULES] {
            assert!(list.windows(2).all(|pair| pair[0] < pair[1]) && !list.concat().contains('-'));
        }
    }
}
