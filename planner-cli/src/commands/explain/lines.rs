//! A pasted line translated: which rule stands behind it, and on a known host which region it runs into.

use planner_core::addr::grouped_hex;

use super::log::{self, Logged};
use super::{Explanation, Machine, catalogue, verdict};

/// Sentences of the kernel and of VMMs, each with the rule behind it.
const SENTENCES: &[(&str, &str)] = &[
    // drivers/iommu/iommu.c, __iommu_device_set_domain
    ("Firmware has requested this device have a 1:1 IOMMU mapping", "K-DIRECTBLOCK"),
    // drivers/iommu/intel/iommu.c, intel_iommu_attach_device
    ("ineligible for IOMMU domain attach due to platform RMRR", "K-RMRRINELIGIBLE"),
    // drivers/vfio/vfio_iommu_type1.c, vfio_iommu_type1_attach_group
    ("No interrupt remapping", "K-ISOGROUP"),
    // QEMU, hw/vfio/container.c, vfio_group_get
    ("is not viable", "P-GROUP"),
    ("Please ensure all devices within the iommu_group", "P-GROUP"),
    // QEMU, hw/vfio/container.c, vfio_group_get: no driver of VFIO holds any function of the group
    ("failed to open /dev/vfio/", "P-GROUP"),
    // QEMU, hw/vfio/container.c, vfio_set_iommu: what vfio_iommu_type1_attach_group answers
    ("et iommu for container: Operation not permitted", "K-ISOGROUP"),
    // QEMU, hw/arm/smmuv3.c, smmuv3_notify_flag_changed
    ("requires iommu MAP notifier which is not currently supported", "M-QEMU-NO-NOTIFIER"),
    // QEMU, hw/i386/pc.c, pc_memory_init
    ("phys-bits too low", "M-QEMU-PC-LIMIT"),
    // QEMU, hw/arm/virt.c, virt_set_memmap
    ("Addressing limited to", "M-QEMU-VIRT-LIMIT"),
    // QEMU, hw/vfio/device.c
    ("no iommu_group found", "P-NOGROUP"),
    // kvmtool, vfio/core.c
    ("] would overlap ", "P-DEVICES"),
];

const BAR: &str = "It is about a BAR of a device, not about RAM: only DMA from one passed device to another is affected. \
                   QEMU warns and goes on.";

/// What the line means, if it is one that planner knows.
pub(super) fn explain(line: &str, machine: Option<&Machine>) -> Option<Explanation> {
    let line = line.trim();
    let sentence = SENTENCES.iter().find(|(words, _)| line.contains(words));
    if let Some(explanation) = sentence.and_then(|(_, rule)| catalogue::explain(rule)) {
        return Some(Explanation { subject: line.into(), ..explanation });
    }
    let logged = log::read(line)?;
    let mut text = vec![general(&logged).to_owned()];
    match (machine, logged.iova) {
        (Some(machine), Some(iova)) => text.extend(verdict::of_groups(machine, iova, logged.size)),
        (None, Some(_)) => {
            text.push("Add `--host HOST` to learn which region of the host it runs into.".into());
        }
        (_, None) => {
            text.push("The line has no address; other lines of the VMM around it may have one.".into());
        }
    }
    if logged.is_bar {
        text.push(BAR.into());
    }
    Some(Explanation { subject: line.into(), title: title(&logged), text, owners: Vec::new() })
}

fn title(logged: &Logged) -> String {
    let what = if logged.is_fault { "an IOMMU fault" } else { "a DMA mapping that failed" };
    let place = logged.iova.map(|iova| match logged.size.and_then(|size| verdict::span(iova, size)) {
        Some(span) => format!(" at {span}"),
        None => format!(" at {}", grouped_hex(iova)),
    });
    let error = logged.errno.map(|errno| format!(" with {}", log::name(errno)));
    format!("{what}{}{}", place.unwrap_or_default(), error.unwrap_or_default())
}

/// What the error number means (drivers/vfio/vfio_iommu_type1.c, `vfio_dma_do_map`; drivers/iommu/iommufd/ioas.c,
/// `iommufd_ioas_map`).
fn general(logged: &Logged) -> &'static str {
    if logged.is_fault {
        return "The device wrote or read an IOVA that is not mapped, or not for this kind of access.";
    }
    match logged.errno {
        Some(1) => "EPERM: the group may not be used, or the limit on locked memory forbids it [K-ISOGROUP].",
        Some(12) => {
            "ENOMEM: the memory cannot be pinned. The limit on locked memory (RLIMIT_MEMLOCK; libvirt: \
             <memtune><hard_limit>) is too low, or the host has not enough free memory. The layout is not to blame."
        }
        Some(14) => {
            "EFAULT: the memory behind the mapping cannot be pinned, as with a file without pages or a BAR. The layout \
             is not to blame."
        }
        Some(17) => "EEXIST: something is mapped there already, often by a VMM that maps a region twice.",
        Some(22) => {
            "EINVAL: the IOVAs touch a reserved region, lie outside the aperture of the IOMMU, or are not aligned to \
             its smallest page [K-T1HOLE, K-T1APER]. The kernel does not say which."
        }
        Some(28) => {
            "ENOSPC: the container has as many mappings as vfio_iommu_type1.dma_entry_limit allows (65535), usually \
             because the guest's memory is mapped in small pieces."
        }
        Some(75) => "EOVERFLOW: the mapping runs past the end of the 64-bit space [K-T1EDGE].",
        _ => "The kernel refused to map memory for a device.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sentence_has_its_rule() {
        for (sentence, rule) in SENTENCES {
            let explanation = explain(&format!("qemu-system-x86_64: {sentence} …"), None);
            assert_eq!(explanation.map(|told| told.title), catalogue::explain(rule).map(|told| told.title));
            assert!(catalogue::explain(rule).is_some(), "{rule}");
        }
    }
}
