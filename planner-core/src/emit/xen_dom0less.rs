//! A device-tree overlay with the node below `/chosen` from which Xen builds a domain at boot
//! (docs/misc/arm/device-tree/booting.txt, "Creating Multiple Domains directly from Xen").
//!
//! Xen takes the cells of addresses and sizes in `xen,static-mem` from the node above the domain's, `/chosen`
//! (xen/common/device-tree/bootfdt.c, device_tree_get_meminfo), so the overlay sets them there. It names no domain; the
//! guest's name is the name of its node, as far as a node can have it.
//!
//! Left out: the modules of the guest (kernel, initrd, partial device tree), whose addresses the boot loader knows.

use super::parts::{made_for, printable};
use super::{OutputFile, Unsupported};
use crate::addr::{Address, Gpa, Span};
use crate::facts::Arch;
use crate::facts::guest::{Viommu, VmmKind};
use crate::plan::{PieceKind, Plan, VmmOption};
use crate::size::Size;
use crate::vmm::Knob;

/// xen/include/public/arch-arm.h, `GUEST_RAM0_BASE`, `GUEST_RAM0_SIZE`, `GUEST_RAM1_BASE`, `GUEST_RAM1_SIZE`.
const BANKS: [(u64, u64); 2] = [(0x4000_0000, 0xc000_0000), (0x2_0000_0000, 0xfe_0000_0000)];
/// Of which `memory` counts.
const KIB: u64 = 1 << 10;
/// Longest name of a node, without its address (Devicetree Specification 0.4, 2.2.1).
const LONGEST_NAME: usize = 31;
const DAMAGED: &str = "make the plan again; this one has been changed by hand";

/// `dom0less.dtso`.
pub(super) fn overlay(plan: &Plan) -> Result<Vec<OutputFile>, Unsupported> {
    made_for(plan, VmmKind::Xen)?;
    refuse(plan)?;
    let sum: u128 = plan.ram.iter().map(|piece| piece.span.size_bytes()).sum();
    let kibibytes = u64::try_from(sum).ok().filter(|sum| sum.is_multiple_of(KIB)).map(|sum| sum / KIB);
    let Some(kibibytes) = kibibytes else {
        let because = format!("Xen takes whole kibibytes of memory, and the plan has {sum} bytes");
        return Err(Unsupported::new(because, "plan again with a multiple of 1K"));
    };
    let mut node = vec![
        "compatible = \"xen,domain\";".to_owned(),
        "#address-cells = <2>;".to_owned(),
        "#size-cells = <2>;".to_owned(),
        format!("cpus = <{}>;", plan.guest.vcpus),
        format!("memory = <{}>;", cells(kibibytes)),
    ];
    if is_direct_mapped(plan) {
        node.push(format!("xen,static-mem = {};", banks(plan)));
        node.push("direct-map;".to_owned());
    } else {
        refuse_elsewhere(plan)?;
    }
    node.extend(MODULES.lines().map(str::to_owned));
    let node: String = node.iter().map(|line| format!("\t\t{line}\n")).collect();
    let text = format!(
        "{}/dts-v1/;\n/plugin/;\n\n&{{/chosen}} {{\n\t#address-cells = <2>;\n\t#size-cells = <2>;\n\n\t{} {{\n{node}\t}};\n}};\n",
        comments(plan),
        node_name(&plan.guest.name),
    );
    Ok(vec![OutputFile { file: "dom0less.dtso".to_owned(), text }])
}

/// What the boot loader, or the user, adds to the node.
const MODULES: &str = "// Add the guest's modules where the boot loader puts them, the kernel at least:
// module@… { compatible = \"multiboot,kernel\", \"multiboot,module\"; reg = <…>; bootargs = \"…\"; };
// A device of the host goes to the guest by a partial device tree, \"multiboot,device-tree\", that has its xen,path and
// xen,reg, and the host's node of it needs the property xen,passthrough.";

/// The options that the plan needs, with the reason.
pub(super) fn explained(plan: &Plan) -> Vec<VmmOption> {
    if !is_direct_mapped(plan) || overlay(plan).is_err() {
        return Vec::new();
    }
    let why = "RAM of the guest lies at the addresses of the host memory behind it".to_owned();
    vec![VmmOption { flag: format!("xen,static-mem = {}; direct-map;", banks(plan)), why }]
}

fn is_direct_mapped(plan: &Plan) -> bool {
    plan.guest.machine.trim() == "direct-map"
}

/// `<0x8 0x80000000 0x1 0x0>, <…>`: address and size of each bank.
fn banks(plan: &Plan) -> String {
    let banks = plan.ram.iter().map(|piece| {
        let size = piece.span.size().map_or(0, Size::bytes);
        format!("<{} {}>", cells(piece.span.first().get()), cells(size))
    });
    banks.collect::<Vec<_>>().join(", ")
}

/// A number as two cells.
fn cells(number: u64) -> String {
    format!("{:#x} {:#x}", number >> 32, number & 0xffff_ffff)
}

/// Comments of a device tree run to the end of the line; a backslash there would join the next to it in a C preprocessor.
fn comments(plan: &Plan) -> String {
    let cells =
        "The cells of /chosen hold for the modules that stand there already, too: they need two of each.";
    let mut lines = vec![
        format!("The guest \"{}\" for Xen {}.", printable(&plan.guest.name), plan.vmm.version),
        "Compile with `dtc -@ -I dts -O dtb -W no-avoid_unnecessary_addr_size`, and apply it to the device tree for Xen."
            .to_owned(),
        cells.to_owned(),
    ];
    if is_direct_mapped(plan) {
        lines.push(
            "Nothing else may use this memory: no boot module, no reserved-memory, not dom0.".to_owned(),
        );
    }
    lines.iter().map(|line| format!("// {line}\n")).collect()
}

/// A name that a node can have (Devicetree Specification 0.4, 2.2.1): letters, digits and `,._+-`, a letter first.
fn node_name(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || ",._+-".contains(c) { c } else { '_' };
    let name: String = "domU-".chars().chain(name.chars().map(plain)).take(LONGEST_NAME).collect();
    name
}

/// Refuses memory that lies elsewhere than in Xen's own banks, filled in order.
fn refuse_elsewhere(plan: &Plan) -> Result<(), Unsupported> {
    let mut left: u128 = plan.ram.iter().map(|piece| piece.span.size_bytes()).sum();
    let mut made: Vec<Span<Gpa>> = Vec::new();
    for (start, size) in BANKS {
        let take = left.min(u128::from(size));
        let size = u64::try_from(take).map_or(Size::ZERO, Size::from_bytes);
        made.extend(Span::from_start_size(Gpa::at(start), size));
        left -= take;
    }
    let planned: Vec<Span<Gpa>> = plan.ram.iter().map(|piece| piece.span).collect();
    let touches = |piece: &Span<Gpa>| made.iter().any(|bank| bank.covers(*piece));
    if left == 0 && planned.iter().all(touches) {
        return Ok(());
    }
    Err(Unsupported::new("the plan has memory outside of the banks that Xen makes", DAMAGED))
}

/// What Xen lacks.
fn refuse(plan: &Plan) -> Result<(), Unsupported> {
    let guest = &plan.guest;
    let lacks = |what: &str| {
        let because = format!("a domain that Xen builds at boot has no {what}");
        Err(Unsupported::new(because, "plan again with --vmm qemu"))
    };
    if guest.arch != Arch::Aarch64 {
        return Err(Unsupported::new("Xen builds domains at boot on arm64 only", "emit xen instead"));
    }
    if !guest.pass.is_empty() {
        return lacks("PCI devices of the host");
    }
    if !guest.numa.is_empty() {
        return lacks("NUMA nodes");
    }
    if guest.viommu != Viommu::None || guest.iommufd {
        return lacks("IOMMU for passed devices, and no iommufd");
    }
    let pieces = plan.ram.iter().any(|piece| piece.kind == PieceKind::Dimm);
    if (pieces && !is_direct_mapped(plan)) || !plan.hotplug.is_empty() {
        return lacks("memory modules");
    }
    match plan.knobs.iter().find(|knob| !matches!(knob, Knob::RamBase { .. })) {
        Some(knob) => lacks(&format!("option for {knob:?}, which the plan sets")),
        None => Ok(()),
    }
}
