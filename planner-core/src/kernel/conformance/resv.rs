//! Replays `resv`: the list of a group and its text in sysfs.

use super::field::{self, Object, Read};
use super::json::Json;
use super::ops::compare_member;
use super::shape::{Difference, Shape};
use super::{Reader, Recorded};
use crate::kernel::resv::{RawRegion, group_regions, sysfs_text};
use crate::size::PageSize;
use crate::version::KernelVersion;

struct Group {
    devices: Vec<Option<Vec<RawRegion>>>,
}

const OUT: Shape = Shape::Object(&[("regions", Shape::List(&REGION)), ("sysfs", Shape::Text)]);
const REGION: Shape = Shape::Tuple(&[Shape::Kind, Shape::Hex, Shape::Hex, Shape::Decimal]);

pub(super) const READ: Reader = |input| {
    let input = Object::of(input, &["devs"])?;
    let devices = input.need("devs", |devs| field::list(devs, field::device))?;
    Ok(Box::new(Group { devices }))
};

impl Recorded for Group {
    fn cost(&self) -> u64 {
        self.devices.iter().flatten().map(|regions| regions.len() as u64).sum()
    }

    fn check(&self, out: &Json<'_>) -> Read<()> {
        OUT.check(out)
    }

    fn replay(&self, version: KernelVersion, out: &Json<'_>) -> Result<(), Difference> {
        let merged = group_regions(self.devices.iter().map(Option::as_deref));
        compare_member(out, "regions", &Json::List(merged.iter().map(region).collect()))?;
        // The recording was made with pages of 4 KiB.
        let text = sysfs_text(&merged, version, PageSize::K4);
        compare_member(out, "sysfs", &Json::Text(text.into()))
    }
}

fn region(region: &RawRegion) -> Json<'static> {
    let RawRegion { start, length, kind, prot } = *region;
    Json::List(vec![field::kind_word(kind), Json::hex(start), Json::hex(length), Json::integer(prot)])
}
