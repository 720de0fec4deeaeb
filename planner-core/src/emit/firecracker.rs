//! Firecracker: the file for `--config-file`, in the names of its API (src/firecracker/swagger/firecracker.yaml), and the
//! command that uses it.

use serde::Serialize;

use super::boot::{boot_memory, boot_size, refuse_elsewhere};
use super::parts::{has_modules, huge_pages, made_for};
use super::{OutputFile, Unsupported, shell};
use crate::addr::Gpa;
use crate::facts::Arch;
use crate::facts::guest::{Viommu, VmmKind};
use crate::plan::Plan;
use crate::size::{MIB, PageSize};

/// The guest's kernel: a name to be replaced.
const KERNEL: &str = "vmlinux";
/// src/vmm/src/arch/aarch64/layout.rs, `DRAM_MEM_START`.
const ARM_RAM: Gpa = Gpa::at(0x8000_0000);
/// Where memory goes on behind a window (src/vmm/src/arch/*/layout.rs, `FIRST_ADDR_PAST_32BITS`,
/// `FIRST_ADDR_PAST_64BITS_MMIO`).
const BEHIND: &[Gpa] = &[Gpa::at(0x1_0000_0000), Gpa::at(0x80_0000_0000)];

/// The file (src/vmm/src/resources.rs, `VmmConfig`).
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct VmmConfig {
    boot_source: BootSource,
    drives: [(); 0],
    machine_config: MachineConfig,
}

#[derive(Serialize)]
struct BootSource {
    kernel_image_path: &'static str,
}

#[derive(Serialize)]
struct MachineConfig {
    vcpu_count: u32,
    mem_size_mib: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    huge_pages: Option<&'static str>,
}

/// `firecracker.json` and the `firecracker.sh` that uses it.
pub(super) fn config(plan: &Plan) -> Result<Vec<OutputFile>, Unsupported> {
    made_for(plan, VmmKind::Firecracker)?;
    refuse(plan)?;
    let base = if plan.guest.arch == Arch::X86_64 { Gpa::at(0) } else { ARM_RAM };
    refuse_elsewhere(plan, base, BEHIND)?;
    let size = boot_size(&boot_memory(plan)?)?;
    if !size.bytes().is_multiple_of(MIB) {
        let because = format!("Firecracker takes whole mebibytes of memory, and the plan has {size}");
        return Err(Unsupported::new(because, "plan again with a multiple of 1M"));
    }
    let config = VmmConfig {
        boot_source: BootSource { kernel_image_path: KERNEL },
        drives: [],
        machine_config: MachineConfig {
            vcpu_count: plan.guest.vcpus,
            mem_size_mib: size.bytes() / MIB,
            huge_pages: huge_pages(plan).map(|_| "2M"),
        },
    };
    let json = serde_json::to_string_pretty(&config).expect("names and numbers") + "\n";
    let comments = [format!(
        "{KERNEL} in firecracker.json stands for the guest's kernel; add boot_args, drives and networks there."
    )];
    let words = ["firecracker", "--no-api", "--enable-pci"].map(|word| vec![word.to_owned()]);
    let file = vec!["--config-file".to_owned(), "firecracker.json".to_owned()];
    let command: Vec<Vec<String>> = words.into_iter().chain([file]).collect();
    Ok(vec![
        OutputFile { file: "firecracker.json".to_owned(), text: json },
        OutputFile { file: "firecracker.sh".to_owned(), text: shell::script(&comments, &command) },
    ])
}

/// What Firecracker lacks.
fn refuse(plan: &Plan) -> Result<(), Unsupported> {
    let guest = &plan.guest;
    let lacks = |what: &str| {
        Err(Unsupported::new(format!("Firecracker has no {what}"), "plan again with --vmm qemu"))
    };
    if !guest.pass.is_empty() || guest.iommufd {
        return lacks("way to pass host devices through");
    }
    if has_modules(plan) {
        return lacks("memory modules");
    }
    if !guest.numa.is_empty() {
        return lacks("NUMA nodes");
    }
    if guest.viommu != Viommu::None {
        return lacks("IOMMU for its guest");
    }
    if huge_pages(plan).is_some_and(|pages| pages != PageSize::M2) {
        return lacks("huge pages but those of 2 MiB");
    }
    match plan.knobs.first() {
        Some(knob) => lacks(&format!("option for {knob:?}, which the plan sets")),
        None => Ok(()),
    }
}
