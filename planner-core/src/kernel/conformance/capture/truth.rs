//! `groundtruth.json`: what VFIO and iommufd answered on a running host, as far as it is compared.
//!
//! Numbers are strings with `0x`, errors names such as `EINVAL`, and `OK`. What is not compared is passed over.

use std::collections::BTreeSet;

use super::behaviour::{self, Behaviour};
use super::hardware::{self, Tables};
use super::left_out;
use crate::diag::Diagnostic;
use crate::ids::PciAddress;
use crate::kernel::conformance::field::{self, Fault, Object, Read};
use crate::kernel::conformance::json::Json;
use crate::kernel::conformance::{codes, shortened};
use crate::size::parse_number;

/// Everything that is compared.
#[derive(Default)]
pub(super) struct Truth {
    pub(super) groups: Vec<Group>,
    pub(super) all_groups: Option<AllGroups>,
    pub(super) iommufd: Option<Iommufd>,
    /// What is told besides.
    pub(super) left_out: BTreeSet<String>,
}

/// What VFIO type1 answered for a group.
pub(super) struct Group {
    pub(super) id: u32,
    pub(super) status: Option<u64>,
    pub(super) set_container: Option<String>,
    pub(super) set_container_again: Option<String>,
    pub(super) set_iommu: Option<String>,
    pub(super) set_iommu_unsafe: Option<String>,
    pub(super) info: Option<Info>,
    pub(super) trials: Vec<Trial>,
    pub(super) behaviour: Option<Behaviour>,
    pub(super) probes: Vec<Probe>,
}

/// What type1 answered when all groups shared a container.
pub(super) struct AllGroups {
    /// Number and whether it was attached.
    pub(super) attached: Vec<(u32, bool)>,
    pub(super) info: Option<Info>,
}

/// `VFIO_IOMMU_GET_INFO`.
pub(super) struct Info {
    pub(super) page_sizes: u64,
    /// First and last address; `None` without the capability.
    pub(super) ranges: Option<Vec<(u64, u64)>>,
}

/// One map request.
pub(super) struct Trial {
    pub(super) name: String,
    pub(super) iova: u64,
    pub(super) size: u64,
    pub(super) vaddr_offset: u64,
    pub(super) answer: String,
    /// Bytes that the unmap request after it removed, where they were not those that were mapped.
    pub(super) unmapped: Option<u64>,
}

/// What enabling interrupts of a device gave.
pub(super) struct Probe {
    pub(super) device: PciAddress,
    pub(super) interrupts: Vec<Interrupts>,
}

/// MSI or MSI-X.
pub(super) struct Interrupts {
    pub(super) kind: &'static str,
    pub(super) answer: String,
    /// The address that the kernel programmed.
    pub(super) address: Option<u64>,
}

/// What iommufd answered.
#[derive(Default)]
pub(super) struct Iommufd {
    /// The error of opening /dev/iommu.
    pub(super) open: Option<String>,
    pub(super) unattached: Option<Ranges>,
    pub(super) devices: Vec<FdDevice>,
    pub(super) all_devices: Option<AllDevices>,
}

/// `IOMMU_IOAS_IOVA_RANGES`.
pub(super) struct Ranges {
    pub(super) alignment: u64,
    pub(super) ranges: Vec<(u64, u64)>,
}

/// What iommufd answered when all devices shared an address space.
pub(super) struct AllDevices {
    pub(super) attached: Vec<(PciAddress, bool)>,
    pub(super) ranges: Option<Ranges>,
}

/// One automatic IOVA that was asked for.
pub(super) struct Automatic {
    pub(super) size: u64,
    pub(super) vaddr_offset: u64,
    /// The error, or the IOVA.
    pub(super) answer: Result<u64, String>,
}

/// What iommufd answered for a device, in the order in which it was asked. A request that was not made is `None`, and a
/// list of requests that were not made is empty.
pub(super) struct FdDevice {
    pub(super) device: PciAddress,
    pub(super) group: u32,
    pub(super) ranges_before: Option<Ranges>,
    pub(super) bind: Option<String>,
    pub(super) bind_unsafe: Option<String>,
    pub(super) hardware: Option<hardware::Told>,
    /// Start of a reserved region, the answers of mapping there and of attaching after it.
    pub(super) conflicts: Vec<(u64, String, String)>,
    /// Allowing the lowest 4 GiB, and attaching after it.
    pub(super) allow_low: Option<(String, Option<String>)>,
    pub(super) allow_high: Option<AllowHigh>,
    pub(super) map_before: Option<String>,
    pub(super) attach: Option<String>,
    pub(super) attach_again: Option<String>,
    pub(super) ranges_after: Option<Ranges>,
    pub(super) automatic: Vec<(&'static str, Vec<Automatic>)>,
    /// Bytes that unmapping everything removed after the last of them.
    pub(super) unmapped: Option<u64>,
    pub(super) allow: Option<String>,
    pub(super) ranges_allowed: Option<Ranges>,
    pub(super) automatic_allowed: Vec<Automatic>,
    pub(super) allow_reserved: Option<String>,
    pub(super) allow_nothing: Option<String>,
    pub(super) ranges_allowed_again: Option<Ranges>,
    pub(super) trials: Vec<Trial>,
    pub(super) probe: Probe,
    pub(super) ranges_interrupts: Option<Ranges>,
    pub(super) tables: Tables,
    pub(super) ranges_detached: Option<Ranges>,
}

/// What was answered when the second 4 GiB were allowed before the device was attached.
pub(super) struct AllowHigh {
    pub(super) allow: String,
    pub(super) attach: Option<String>,
    pub(super) ranges: Option<Ranges>,
    pub(super) automatic: Vec<Automatic>,
}

/// Reads the ground truth; what cannot be read is told and left out.
pub(super) fn read(file: &str, text: &str) -> (Truth, Vec<Diagnostic>) {
    let mut reader = Reader { file, found: Vec::new() };
    let truth = match serde_json::from_str::<Json<'_>>(text) {
        Ok(json) => reader.truth(&json),
        Err(error) => {
            reader.tell(Fault::new(&codes::TRUTH, format!("not JSON: {error}")));
            Truth::default()
        }
    };
    (truth, reader.found)
}

struct Reader<'f> {
    file: &'f str,
    found: Vec<Diagnostic>,
}

impl Reader<'_> {
    fn tell(&mut self, fault: Fault) {
        const MOST: usize = 20;
        if self.found.len() < MOST {
            let place = if fault.path.is_empty() { String::new() } else { format!("{}: ", fault.path) };
            let message = format!("{}: {place}{}", self.file, fault.message);
            let origin = crate::diag::Origin::file(self.file);
            self.found.push(Diagnostic::new(&codes::TRUTH, origin, message));
        }
    }

    /// The value, or nothing where it cannot be read.
    fn take<T>(&mut self, read: Read<Option<T>>) -> Option<T> {
        read.map_err(|fault| self.tell(fault)).ok().flatten()
    }

    /// The items of a list that can be read.
    fn each<T>(&mut self, around: &Json<'_>, path: [&str; 2], read: fn(&Json<'_>) -> Read<T>) -> Vec<T> {
        let [outer, inner] = path;
        let items = around.member(outer).and_then(|around| around.member(inner)).map_or(&[][..], Json::items);
        let mut all = Vec::new();
        for (index, item) in items.iter().enumerate() {
            match read(item) {
                Ok(item) => all.push(item),
                Err(fault) => self.tell(fault.within(&format!("{outer}.{inner}[{index}]"))),
            }
        }
        all
    }

    fn truth(&mut self, json: &Json<'_>) -> Truth {
        let groups = self.each(json, ["type1", "groups"], group);
        let devices = self.each(json, ["iommufd", "devices"], device);
        let object = match Object::loose(json) {
            Ok(object) => object,
            Err(fault) => {
                self.tell(fault);
                return Truth::default();
            }
        };
        let all_groups =
            self.take(object.may("type1", |type1| Object::loose(type1)?.may("all_in_one", all_groups)));
        let iommufd = self.take(object.may("iommufd", iommufd));
        Truth {
            groups,
            all_groups: all_groups.flatten(),
            iommufd: iommufd.map(|iommufd| Iommufd { devices, ..iommufd }),
            left_out: left_out::find(json),
        }
    }
}

pub(super) fn number(json: &Json<'_>) -> Read<u64> {
    let text = field::text(json)?;
    let fault =
        |_| Fault::new(&codes::TRUTH, format!("`{}` is not a number of 64 bits", shortened(text, 40)));
    parse_number(text).map_err(fault)
}

pub(super) fn word(json: &Json<'_>) -> Read<String> {
    field::text(json).map(|text| shortened(text, 40))
}

fn address(json: &Json<'_>) -> Read<PciAddress> {
    let text = field::text(json)?;
    let fault = |_| Fault::new(&codes::TRUTH, format!("`{}` is not a PCI address", shortened(text, 40)));
    text.parse().map_err(fault)
}

fn items<T>(object: &Object<'_, '_>, key: &str, read: fn(&Json<'_>) -> Read<T>) -> Read<Vec<T>> {
    Ok(object.may(key, |json| field::list(json, read))?.unwrap_or_default())
}

fn group(json: &Json<'_>) -> Read<Group> {
    let group = Object::loose(json)?;
    Ok(Group {
        id: group.need("group", field::small)?,
        status: group.may("group_status", number)?,
        set_container: group.may("set_container", word)?,
        set_container_again: group.may("set_container_after_bridge_unbind", word)?,
        set_iommu: group.may("set_iommu", word)?,
        set_iommu_unsafe: group.may("set_iommu_unsafe", word)?,
        info: group.may("get_info", info)?.flatten(),
        trials: items(&group, "map_trials", trial)?,
        behaviour: group.may("behaviour", behaviour::read)?,
        probes: items(&group, "device_probe", probe)?,
    })
}

fn info(json: &Json<'_>) -> Read<Option<Info>> {
    let info = Object::loose(json)?;
    let Some(page_sizes) = info.may("iova_pgsizes", number)? else { return Ok(None) };
    let capabilities =
        items(&info, "caps", |cap| Object::loose(cap)?.may("ranges", |ranges| field::list(ranges, range)))?;
    Ok(Some(Info { page_sizes, ranges: capabilities.into_iter().flatten().next() }))
}

/// `end` with type1, `last` with iommufd.
fn range(json: &Json<'_>) -> Read<(u64, u64)> {
    let range = Object::loose(json)?;
    let last = range.may("last", number)?;
    Ok((range.need("start", number)?, last.map_or_else(|| range.need("end", number), Ok)?))
}

fn all_groups(json: &Json<'_>) -> Read<AllGroups> {
    let all = Object::loose(json)?;
    let one = |json: &Json<'_>| {
        let group = Object::loose(json)?;
        let set = group.may("set_container", word)?;
        Ok((group.need("group", field::small)?, set.as_deref() == Some("OK")))
    };
    Ok(AllGroups { attached: items(&all, "attach", one)?, info: all.may("get_info", info)?.flatten() })
}

fn trial(json: &Json<'_>) -> Read<Trial> {
    let trial = Object::loose(json)?;
    Ok(Trial {
        name: trial.need("name", word)?,
        iova: trial.need("iova", number)?,
        size: trial.need("size", number)?,
        vaddr_offset: trial.may("vaddr_off", number)?.unwrap_or(0),
        answer: trial.need("rc", word)?,
        unmapped: trial.may("unmapped", number)?,
    })
}

fn probe(json: &Json<'_>) -> Read<Probe> {
    let probe = Object::loose(json)?;
    let device = probe.need("bdf", address)?;
    let interrupts = probe.may("device_info", |info| {
        let info = Object::loose(info)?;
        let both = [info.may("msi_enable", msi)?, info.may("msix_enable", msix)?];
        Ok(both.into_iter().flatten().collect())
    })?;
    Ok(Probe { device, interrupts: interrupts.unwrap_or_default() })
}

fn msi(json: &Json<'_>) -> Read<Interrupts> {
    let enabled = Object::loose(json)?;
    let registers = enabled.may("host_caps", |caps| Object::loose(caps)?.may("msi", message_address))?;
    Ok(Interrupts {
        kind: "MSI",
        answer: enabled.need("rc", word)?,
        address: registers.flatten().filter(|&address| address != 0),
    })
}

fn msix(json: &Json<'_>) -> Read<Interrupts> {
    let enabled = Object::loose(json)?;
    let table = items(&enabled, "msix_table_mmap", message_address)?;
    Ok(Interrupts { kind: "MSI-X", answer: enabled.need("rc", word)?, address: table.first().copied() })
}

fn message_address(json: &Json<'_>) -> Read<u64> {
    let entry = Object::loose(json)?;
    let high = entry.may("addr_hi", number)?.unwrap_or(0);
    let low = entry.need("addr_lo", number)?;
    Ok(high.checked_shl(32).unwrap_or(0) | low)
}

fn iommufd(json: &Json<'_>) -> Read<Iommufd> {
    let iommufd = Object::loose(json)?;
    Ok(Iommufd {
        open: iommufd.may("open", word)?,
        unattached: iommufd.may("ranges_unattached", ranges)?.flatten(),
        devices: Vec::new(),
        all_devices: iommufd.may("all_in_one", all_devices)?,
    })
}

fn ranges(json: &Json<'_>) -> Read<Option<Ranges>> {
    let told = Object::loose(json)?;
    let Some(alignment) = told.may("out_iova_alignment", number)? else { return Ok(None) };
    Ok(Some(Ranges { alignment, ranges: items(&told, "ranges", range)? }))
}

fn all_devices(json: &Json<'_>) -> Read<AllDevices> {
    let all = Object::loose(json)?;
    let one = |json: &Json<'_>| {
        let device = Object::loose(json)?;
        let attached = device.may("attach", word)?;
        Ok((device.need("bdf", address)?, attached.as_deref() == Some("OK")))
    };
    Ok(AllDevices { attached: items(&all, "attach", one)?, ranges: all.may("ranges", ranges)?.flatten() })
}

fn automatic(json: &Json<'_>) -> Read<Automatic> {
    let request = Object::loose(json)?;
    let answer = match (request.may("iova", number)?, request.need("rc", word)?) {
        (Some(iova), _) => Ok(iova),
        (None, error) => Err(error),
    };
    Ok(Automatic {
        // Requests at an offset all were for 2 MiB.
        size: request.may("size", number)?.unwrap_or(0x20_0000),
        vaddr_offset: request.may("vaddr_off", number)?.unwrap_or(0),
        answer,
    })
}

fn device(json: &Json<'_>) -> Read<FdDevice> {
    let device = Object::loose(json)?;
    let told = |key: &str| Ok::<_, Fault>(device.may(key, ranges)?.flatten());
    let lists = ["auto_alloc", "auto_alloc_big", "auto_alloc_voff"];
    let lists = lists.map(|key| items(&device, key, automatic).map(|list| (key, list)));
    Ok(FdDevice {
        device: device.need("bdf", address)?,
        group: device.need("group", field::small)?,
        ranges_before: told("ranges_before_attach")?,
        bind: device.may("bind", word)?,
        bind_unsafe: device.may("bind_unsafe", word)?,
        hardware: device.may("hw_info", hardware::read_info)?,
        conflicts: items(&device, "preattach_conflict", conflict)?,
        allow_low: device.may("preattach_allow_0_4g", allow_low)?,
        allow_high: device.may("preattach_allow_4g_8g", allow_high)?,
        map_before: device.may("premap_fixed_0x50000000", word)?,
        attach: device.may("attach", word)?,
        attach_again: device.may("attach_after_unmap", word)?,
        ranges_after: told("ranges_after_attach")?,
        automatic: lists.into_iter().collect::<Read<_>>()?,
        unmapped: device.may("unmap_all_len", number)?,
        allow: device.may("allow_40000000_and_4g", word)?,
        ranges_allowed: told("ranges_after_allow")?,
        automatic_allowed: items(&device, "auto_alloc_allow", automatic)?,
        allow_reserved: device.may("allow_over_reserved", word)?,
        allow_nothing: device.may("allow_clear", word)?,
        ranges_allowed_again: told("ranges_after_allow_clear")?,
        trials: items(&device, "map_trials", trial)?,
        probe: probe(json)?,
        ranges_interrupts: told("ranges_after_irq")?,
        tables: device.may("hwpt", hardware::read_tables)?.unwrap_or_default(),
        ranges_detached: told("ranges_after_detach")?,
    })
}

fn conflict(json: &Json<'_>) -> Read<(u64, String, String)> {
    let conflict = Object::loose(json)?;
    Ok((conflict.need("iova", number)?, conflict.need("map", word)?, conflict.need("attach", word)?))
}

fn allow_low(json: &Json<'_>) -> Read<(String, Option<String>)> {
    let allowed = Object::loose(json)?;
    Ok((allowed.need("allow", word)?, allowed.may("attach", word)?))
}

fn allow_high(json: &Json<'_>) -> Read<AllowHigh> {
    let allowed = Object::loose(json)?;
    Ok(AllowHigh {
        allow: allowed.need("allow", word)?,
        attach: allowed.may("attach", word)?,
        ranges: allowed.may("ranges", ranges)?.flatten(),
        automatic: items(&allowed, "auto_alloc", automatic)?,
    })
}
