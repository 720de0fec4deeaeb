//! The guest's device tree: an overlay that reserves memory and DMA addresses which the guest's kernel must leave unused.
//!
//! Memory: Documentation/devicetree/bindings/reserved-memory/reserved-memory.yaml, `no-map`. DMA addresses:
//! `iommu-addresses` there, read by drivers/iommu/of_iommu.c, of_iommu_get_resv_regions (Linux 6.3 and later): the property
//! names a device by its node, and the device names the reservation in `memory-region`. So each passed PCI device gets a
//! node, where the emitted configuration puts it.

use std::fmt::Write as _;

use super::expander::PLACES_OF_ROOT_BUS;
use super::iommu::has_msis;
use super::parts::printable;
use super::{OutputFile, Unsupported};
use crate::addr::{Address, Span};
use crate::facts::guest::{Viommu, VmmKind};
use crate::ids::PciAddress;
use crate::plan::{GuestPatch, Plan, Reason, ReservedDma};
use crate::vmm::RegionKind;

/// Name of the file.
const FILE: &str = "guest-reserved-memory.dtso";
/// Where passed devices begin on the root bus of crosvm's guest, whose emitted line says so for each.
pub(super) const CROSVM_FIRST_PLACE: u8 = 16;

/// `guest-reserved-memory.dtso`.
///
/// # Errors
/// [`Unsupported`] when the plan does not ask for it.
pub(super) fn overlay(plan: &Plan) -> Result<Vec<OutputFile>, Unsupported> {
    let by = |patch: Option<GuestPatch>| patch == Some(GuestPatch::DeviceTree);
    let reserved = &plan.guest_reserved;
    let dma = if by(reserved.dma_by) { reserved.dma.as_slice() } else { &[] };
    let memory = if by(reserved.memory_by) { reserved.memory.as_slice() } else { &[] };
    if dma.is_empty() && memory.is_empty() {
        let because = "the plan has nothing that the guest's device tree must say";
        return Err(Unsupported::new(because, "leave the device tree as the VMM makes it"));
    }
    let mut text = head(plan);
    text += "\n&{/} {\n\treserved-memory {\n\t\t#address-cells = <2>;\n\t\t#size-cells = <2>;\n\t\tranges;\n";
    for row in memory {
        let (reg, start) = (pair(row.span)?, row.span.first().get());
        let node = format!("\t\tmemory@{start:x} {{\n\t\t\treg = <{reg}>;\n\t\t\tno-map;\n\t\t}};\n");
        text += &(because(&row.because) + &node);
    }
    for (index, row) in dma.iter().enumerate() {
        text += &because(&row.because);
        let uses: Vec<String> =
            devices(plan, row).map(|number| addresses(number, row)).collect::<Result<_, _>>()?;
        if uses.is_empty() {
            let because = format!("{} is reserved for devices that are not passed", row.span);
            return Err(Unsupported::new(because, "the plan was changed by hand or is damaged: plan again"));
        }
        let uses = uses.join(",\n\t\t\t\t\t  ");
        let _ = writeln!(text, "\t\tdma{index}: dma-{index} {{\n\t\t\tiommu-addresses = {uses};\n\t\t}};");
    }
    text += "\t};\n};\n";
    if !dma.is_empty() {
        text += &pci(plan, dma)?;
    }
    Ok(vec![OutputFile { file: FILE.to_owned(), text }])
}

fn head(plan: &Plan) -> String {
    let dumped = match plan.vmm.name {
        VmmKind::Qemu => {
            "// QEMU: dump the tree with -machine dumpdtb=guest.dtb added to the emitted line, apply, start with -dtb patched.dtb;\n\
             // devices that are added to the line come behind those that it has.\n"
        }
        VmmKind::Crosvm => "// crosvm: --device-tree-overlay guest-reserved-memory.dtbo.\n",
        _ => {
            "// The path of the host bridge and the places of the devices below it are those of your VMM: change them.\n"
        }
    };
    format!(
        "/dts-v1/;\n/plugin/;\n\n// What the guest {} must leave unused, and its VMM does not tell it. For Linux 6.3 and later.\n\
         // dtc -q -@ -I dts -O dtb -o guest-reserved-memory.dtbo {FILE}\n\
         // fdtoverlay -i guest.dtb -o patched.dtb guest-reserved-memory.dtbo\n{dumped}",
        comment(&plan.guest.name)
    )
}

/// Text of others within a `//` comment: one line, which no backslash at its end continues.
fn comment(text: &str) -> String {
    printable(text).replace('\\', "/")
}

fn because(reason: &Reason) -> String {
    format!("\n\t\t// {}: {}\n", comment(&reason.rule), comment(&reason.because))
}

/// First address and size, each as two cells.
fn pair<A: Address>(span: Span<A>) -> Result<String, Unsupported> {
    let size = span.size().ok_or_else(|| {
        Unsupported::new("a reservation takes all of the address space", "plan again without that device")
    })?;
    Ok(format!("{} {}", cells(span.first().get()), cells(size.bytes())))
}

fn cells(value: u64) -> String {
    format!("{:#x} {:#x}", value >> 32, value & 0xffff_ffff)
}

/// Numbers of the passed devices that a reservation is for.
fn devices<'p>(plan: &'p Plan, row: &'p ReservedDma) -> impl Iterator<Item = usize> + 'p {
    let numbered = plan.guest.pass.iter().enumerate();
    numbered.filter(|(_, device)| row.devices.contains(device)).map(|(number, _)| number)
}

/// PCI addresses have three cells, of which the first says the kind of space and is not looked at
/// (drivers/of/address.c, of_translate_dma_region).
fn addresses(number: usize, row: &ReservedDma) -> Result<String, Unsupported> {
    Ok(format!("<&passed{number} 0x0 {}>", pair(row.span)?))
}

/// The host bridge with the passed devices.
fn pci(plan: &Plan, dma: &[ReservedDma]) -> Result<String, Unsupported> {
    let mut text = format!("\n&{{{}}} {{\n", bridge(plan)?);
    for (number, &device) in plan.guest.pass.iter().enumerate() {
        let of_device = |(_, row): &(usize, &ReservedDma)| row.devices.contains(&device);
        let rows: Vec<String> =
            dma.iter().enumerate().filter(of_device).map(|(row, _)| format!("<&dma{row}>")).collect();
        if !rows.is_empty() {
            text += &node(plan, number, device, &rows.join(", "))?;
        }
    }
    Ok(text + "};\n")
}

/// Path of the host bridge: QEMU's hw/arm/virt.c, create_pcie names it by its 32-bit window; crosvm's
/// aarch64/src/fdt.rs, create_pci_nodes.
fn bridge(plan: &Plan) -> Result<String, Unsupported> {
    let window = plan.regions.iter().find(|region| region.kind == RegionKind::Mmio32);
    match (plan.vmm.name, window) {
        (VmmKind::Qemu, Some(window)) => Ok(format!("/pcie@{:x}", window.span.first().get())),
        (VmmKind::Qemu, None) => {
            Err(Unsupported::new("the plan has no 32-bit PCI window", "the plan is damaged: plan again"))
        }
        (VmmKind::Crosvm, _) => Ok("/pci".to_owned()),
        _ => Ok("/pcie".to_owned()),
    }
}

/// The node of a device; the kernel finds it by device and function number (drivers/pci/of.c, of_pci_find_child_device).
fn node(plan: &Plan, number: usize, device: PciAddress, rows: &str) -> Result<String, Unsupported> {
    let place = place(plan, number)?;
    let (name, reg) = (format!("{place:x},0"), u32::from(place) << 11);
    let own = format!("memory-region = {rows};");
    let comment = format!("// {device} of the host\n");
    if !behind_port(plan) {
        return Ok(format!(
            "\t{comment}\tpassed{number}: device@{name} {{\n\t\treg = <{reg:#x} 0 0 0 0>;\n\t\t{own}\n\t}};\n"
        ));
    }
    Ok(format!(
        "\tpcie@{name} {{\n\t\treg = <{reg:#x} 0 0 0 0>;\n\t\tdevice_type = \"pci\";\n\t\t#address-cells = <3>;\n\
         \t\t#size-cells = <2>;\n\t\tranges;\n\n\t\t{comment}\t\tpassed{number}: device@0,0 {{\n\
         \t\t\treg = <0 0 0 0 0>;\n\t\t\t{own}\n\t\t}};\n\t}};\n"
    ))
}

/// Whether the emitted line puts passed devices behind root ports.
fn behind_port(plan: &Plan) -> bool {
    plan.vmm.name == VmmKind::Qemu && has_msis(plan)
}

/// Place on the root bus: QEMU gives each device without `addr=` the first that is free (hw/pci/pci.c,
/// do_pci_register_device), behind the host bridge and the guest's IOMMU.
fn place(plan: &Plan, number: usize) -> Result<u8, Unsupported> {
    let first = match plan.vmm.name {
        VmmKind::Qemu => 1_u8.saturating_add(u8::from(plan.guest.viommu == Viommu::Virtio)),
        VmmKind::Crosvm => CROSVM_FIRST_PLACE,
        _ => 1,
    };
    let place = u8::try_from(number).ok().and_then(|number| first.checked_add(number));
    place.filter(|&place| usize::from(place) <= PLACES_OF_ROOT_BUS).ok_or_else(|| {
        Unsupported::new("more devices are passed than the guest's root bus has places", "pass fewer devices")
    })
}
