//! iommufd: what it told of the IOMMU itself, and which kinds of page tables it let user space make.

use super::truth::{number, word};
use super::{Check, World};
use crate::host::Device;
use crate::kernel::conformance::codes;
use crate::kernel::conformance::field::{self, Fault, Object, Read};
use crate::kernel::conformance::json::Json;
use crate::kernel::iommufd::hw_info::{DIRTY_TRACKING, HwInfo};
use crate::kernel::rules;

/// `IOMMU_GET_HW_INFO`.
pub(super) struct Told {
    answer: String,
    kind: Option<u64>,
    capabilities: u64,
    data_bytes: Option<u64>,
    /// The registers.
    data: Vec<u8>,
}

/// `IOMMU_HWPT_ALLOC`, with no flags, as nesting parent, with dirty tracking.
#[derive(Default)]
pub(super) struct Tables {
    plain: Option<String>,
    nest_parent: Option<String>,
    dirty: Option<String>,
}

pub(super) fn read_info(json: &Json<'_>) -> Read<Told> {
    let told = Object::loose(json)?;
    Ok(Told {
        answer: told.need("rc", word)?,
        kind: told.may("type", field::decimal)?,
        capabilities: told.may("capabilities", number)?.unwrap_or(0),
        data_bytes: told.may("data_len", field::decimal)?,
        data: told.may("data", bytes)?.unwrap_or_default(),
    })
}

pub(super) fn read_tables(json: &Json<'_>) -> Read<Tables> {
    let told = Object::loose(json)?;
    Ok(Tables {
        plain: told.may("alloc_plain", word)?,
        nest_parent: told.may("alloc_nest_parent", word)?,
        dirty: told.may("alloc_dirty", word)?,
    })
}

/// Pairs of hexadecimal digits, at most those of a few registers.
fn bytes(json: &Json<'_>) -> Read<Vec<u8>> {
    const MOST: usize = 1024;
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let digits: Option<Vec<u8>> = field::text(json)?.as_bytes().iter().take(MOST).map(digit).collect();
    let fault = || Fault::new(&codes::TRUTH, "expected hexadecimal digits");
    let pair = |pair: &[u8]| pair.iter().fold(0_u8, |value, digit| value << 4 | digit);
    Ok(digits.ok_or_else(fault)?.chunks(2).map(pair).collect())
}

/// Compares what was told of the IOMMU of a device.
pub(super) fn compare_info(world: &World<'_>, device: &Device, told: &Told, check: &mut Check) {
    let version = world.host.kernel.version;
    let answer = if rules::FD_HW_INFO.holds(version) { "OK" } else { "ENOTTY" };
    let same = check.equal("IOMMU_GET_HW_INFO", &told.answer, &answer, None);
    let Some(ours) = world.host.iommu_of(device).and_then(|iommu| HwInfo::of(iommu.model, version)) else {
        return check.leave_out("hw_info behind an AMD IOMMU");
    };
    if !same || told.answer != "OK" {
        return;
    }
    let because = (ours == HwInfo::ArmSmmuV3 && told.kind == Some(0))
        .then_some("whether the kernel was built with CONFIG_ARM_SMMU_V3_IOMMUFD was not said");
    if let Some(kind) = told.kind {
        check.equal("IOMMU_GET_HW_INFO: type", &kind, &ours.number(), because);
    }
    if let Some(data_bytes) = told.data_bytes {
        check.equal("IOMMU_GET_HW_INFO: length of the data", &data_bytes, &ours.data_bytes(), because);
    }
}

/// Compares which page tables could be made. Which of them the hardware can is told by its registers.
pub(super) fn compare_tables(told: &Tables, info: &Told, check: &mut Check) {
    if let Some(kernel) = &told.plain {
        check.equal("IOMMU_HWPT_ALLOC", kernel, &"OK", None);
    }
    let known = [HwInfo::None, HwInfo::IntelVtd, HwInfo::ArmSmmuV3];
    let kind = known.into_iter().find(|known| Some(known.number()) == info.kind);
    match (&told.nest_parent, kind.and_then(|kind| kind.nests(&info.data))) {
        (Some(kernel), Some(nests)) => {
            check.equal("IOMMU_HWPT_ALLOC, nesting parent", kernel, &allowed(nests), None);
        }
        (Some(_), None) => check.leave_out("nesting parents of an unknown IOMMU"),
        (None, _) => {}
    }
    if let Some(kernel) = &told.dirty {
        let ours = allowed(info.capabilities & DIRTY_TRACKING != 0);
        check.equal("IOMMU_HWPT_ALLOC, dirty tracking", kernel, &ours, None);
    }
}

fn allowed(yes: bool) -> &'static str {
    if yes { "OK" } else { "EOPNOTSUPP" }
}
