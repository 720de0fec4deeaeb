//! A VFIO container with a type1 IOMMU: groups come and go, user space maps and unmaps.
//!
//! Follows drivers/vfio/vfio_iommu_type1.c request by request. Pinning pages and filling page tables always succeed
//! here.

use super::mappings::{Ends, Mappings, Removal};
use super::{IovaList, container_page_sizes};
use crate::addr::{Address, Iova, Span};
use crate::kernel::errno::Errno;
use crate::kernel::resv::{RawRegion, RegionList};
use crate::kernel::{ResvKind, msi, rules};
use crate::size::{PageSize, PageSizes};
use crate::version::KernelVersion;

/// What the kernel and its administrator decide for every container.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Release.
    pub version: KernelVersion,
    /// Page size of the host.
    pub page_size: PageSize,
    /// The module parameter `allow_unsafe_interrupts`.
    pub unsafe_interrupts: bool,
    /// Whether every MSI controller of the host isolates; asked before [`rules::ISOLATED_GROUP`] only.
    pub host_isolates: bool,
    /// Which of the two interfaces: `VFIO_TYPE1v2_IOMMU`, or the older one that lets mappings be cut.
    pub interface: Interface,
    /// How many mappings there may be (module parameter `dma_entry_limit`).
    pub mapping_limit: u64,
}

/// The interface that user space chose with `VFIO_SET_IOMMU`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interface {
    /// `VFIO_TYPE1_IOMMU`.
    V1,
    /// `VFIO_TYPE1v2_IOMMU`.
    V2,
}

/// A group as a container sees it.
#[derive(Clone, PartialEq, Debug)]
pub struct ContainerGroup {
    /// Number.
    pub id: u32,
    /// What a domain of its own would translate.
    pub aperture: Span<Iova>,
    /// The pages that it would map.
    pub page_sizes: PageSizes,
    /// Groups with the same driver may share a domain.
    pub driver: u64,
    /// Whether the IOMMU enforces cache coherency; groups that differ do not share a domain.
    pub coherent: bool,
    /// Whether its MSIs are isolated.
    pub isolated: bool,
    /// The regions of each device, in the order of its driver; `None` for a device without IOMMU.
    pub devices: Vec<Option<Vec<RawRegion>>>,
}

/// A domain of a container.
#[derive(Clone, PartialEq, Debug)]
pub struct Domain {
    /// Groups, newest first.
    pub groups: Vec<ContainerGroup>,
    /// Base of the MSI window, if it has one.
    pub msi_base: Option<Iova>,
    aperture: Span<Iova>,
    page_sizes: PageSizes,
    driver: u64,
    coherent: bool,
}

/// A container.
#[derive(Clone, PartialEq, Debug)]
pub struct Container {
    settings: Settings,
    list: IovaList,
    mappings: Mappings,
    available: u64,
    domains: Vec<Domain>,
    page_sizes: PageSizes,
}

impl Container {
    /// An empty container.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let inclusive = rules::T1_INCLUSIVE.holds(settings.version);
        Self {
            settings,
            list: IovaList::default(),
            mappings: Mappings::new(if inclusive { Ends::Inclusive } else { Ends::Exclusive }),
            available: settings.mapping_limit,
            domains: Vec::new(),
            page_sizes: container_page_sizes(PageSizes::from_bitmap(!0), settings.page_size),
        }
    }

    /// Usable ranges, as `VFIO_IOMMU_GET_INFO` reports them; empty means that everything is usable.
    #[must_use]
    pub fn usable(&self) -> &[Span<Iova>] {
        self.list.ranges()
    }
    /// `iova_pgsizes`.
    #[must_use]
    pub fn page_sizes(&self) -> PageSizes {
        self.page_sizes
    }
    /// Domains, newest first.
    #[must_use]
    pub fn domains(&self) -> &[Domain] {
        &self.domains
    }
    /// Whether a mapping may lie from `start` to `end` inclusive (`vfio_iommu_iova_dma_valid`).
    #[must_use]
    pub fn allows(&self, start: Iova, end: Iova) -> bool {
        self.list.allows(start, end)
    }
    /// A mapping that overlaps the request, as start and size (`vfio_find_dma`).
    #[must_use]
    pub fn find(&self, start: Iova, size: u64) -> Option<(Iova, u64)> {
        self.mappings.find(start.get(), size).map(|(start, size)| (Iova::new(start), size))
    }

    /// Lets a group join (`vfio_iommu_type1_attach_group`).
    ///
    /// # Errors
    /// `EINVAL` when it is already there, when something is mapped over one of its regions or beyond its aperture, or
    /// when nothing usable would be left; `EPERM` when its MSIs are not isolated.
    pub fn attach(&mut self, group: ContainerGroup) -> Result<(), Errno> {
        if self.domains.iter().flat_map(|domain| &domain.groups).any(|other| other.id == group.id) {
            return Err(Errno::Inval);
        }
        let regions = merged([&group]);
        if self.aperture_conflicts(group.aperture) || self.regions_conflict(&regions) {
            return Err(Errno::Inval);
        }
        let mut list = self.list.clone();
        list.resize(group.aperture);
        list.exclude(&regions);
        if list.ranges().is_empty() {
            return Err(Errno::Inval);
        }
        if !self.isolated(&group) {
            return Err(Errno::Perm);
        }
        self.join(group, &regions);
        self.list = list;
        Ok(())
    }

    /// Puts the group into the first domain that suits, or into a new one.
    fn join(&mut self, group: ContainerGroup, regions: &[RawRegion]) {
        let suits = |domain: &&mut Domain| domain.driver == group.driver && domain.coherent == group.coherent;
        if let Some(domain) = self.domains.iter_mut().find(suits) {
            // No window is made or changed here, whatever the group brings.
            domain.groups.insert(0, group);
            return;
        }
        let domain = Domain {
            msi_base: msi::window(regions).map(|region| Iova::new(region.start)),
            aperture: group.aperture,
            page_sizes: group.page_sizes,
            driver: group.driver,
            coherent: group.coherent,
            groups: vec![group],
        };
        self.domains.insert(0, domain);
        self.update_page_sizes();
    }

    fn isolated(&self, group: &ContainerGroup) -> bool {
        let by_host = !rules::ISOLATED_GROUP.holds(self.settings.version);
        self.settings.unsafe_interrupts || group.isolated || by_host && self.settings.host_isolates
    }

    /// `vfio_iommu_aper_conflict`.
    fn aperture_conflicts(&self, aperture: Span<Iova>) -> bool {
        let ranges = self.list.ranges();
        let (Some(first), Some(last)) = (ranges.first(), ranges.last()) else { return false };
        let (start, end) = (aperture.first(), aperture.last());
        let mapped = |from: u64, to: u64| self.mappings.find(from, to.wrapping_sub(from)).is_some();
        start > last.last()
            || end < first.first()
            || start > first.first() && mapped(first.first().get(), start.get())
            || end < last.last() && mapped(end.get().wrapping_add(1), last.last().get().wrapping_add(1))
    }

    /// `vfio_iommu_resv_conflict`.
    fn regions_conflict(&self, regions: &[RawRegion]) -> bool {
        let hard = regions.iter().filter(|region| region.kind != ResvKind::DirectRelaxable);
        hard.into_iter().any(|region| self.mappings.find(region.start, region.length).is_some())
    }

    /// Lets a group go (`vfio_iommu_type1_detach_group`). Nothing happens when it is not there.
    pub fn detach(&mut self, id: u32) {
        let holds = |domain: &Domain| domain.groups.iter().any(|group| group.id == id);
        let Some(index) = self.domains.iter().position(holds) else { return };
        let mut list = self.list.clone();
        if let Some(domain) = self.domains.get_mut(index) {
            domain.groups.retain(|group| group.id != id);
            if domain.groups.is_empty() {
                self.drop_domain(index, &mut list);
            }
        }
        self.refresh(list);
    }

    fn drop_domain(&mut self, index: usize, list: &mut IovaList) {
        self.domains.remove(index);
        if self.domains.is_empty() {
            self.mappings.clear();
            self.available = self.settings.mapping_limit;
        }
        let start = self.domains.iter().map(|domain| domain.aperture.first()).max();
        let end = self.domains.iter().map(|domain| domain.aperture.last()).min();
        let whole = Span::<Iova>::full();
        let (start, end) = (start.unwrap_or(whole.first()), end.unwrap_or(whole.last()));
        if let Some(aperture) = Span::new(start, end) {
            list.expand(aperture);
        }
        self.update_page_sizes();
    }

    /// Makes the list anew from the regions of the groups that are left (`vfio_iommu_resv_refresh`); when nothing
    /// usable is left of it, the old list stays.
    fn refresh(&mut self, list: IovaList) {
        let Some(hull) = list.hull() else { return };
        let mut fresh = IovaList::default();
        fresh.resize(hull);
        fresh.exclude(&merged(self.domains.iter().flat_map(|domain| &domain.groups)));
        if !fresh.ranges().is_empty() {
            self.list = fresh;
        }
    }

    fn update_page_sizes(&mut self) {
        let common = self.domains.iter().fold(!0, |all, domain| all & domain.page_sizes.bitmap());
        self.page_sizes = container_page_sizes(PageSizes::from_bitmap(common), self.settings.page_size);
    }

    /// The smallest page, less one; page sizes below 512 bytes do not occur.
    fn page_mask(&self) -> u64 {
        let bitmap = self.page_sizes.bitmap();
        (bitmap & bitmap.wrapping_neg()).wrapping_sub(1)
    }

    /// `VFIO_IOMMU_MAP_DMA` (`vfio_dma_do_map`).
    ///
    /// # Errors
    /// As the kernel: `EINVAL` for bad flags, alignment or place, `EOVERFLOW` for a request that wraps (`EINVAL` on
    /// older kernels), `EEXIST` over another mapping, `ENOSPC` for too many.
    pub fn map(&mut self, request: &MapRequest) -> Result<(), Errno> {
        let MapRequest { iova, size, vaddr, flags } = *request;
        let last = size.wrapping_sub(1);
        let wraps = iova.get().checked_add(last).is_none() || vaddr.checked_add(last).is_none();
        let inclusive = rules::T1_INCLUSIVE.holds(self.settings.version);
        if inclusive && size != 0 && wraps {
            return Err(Errno::Overflow);
        }
        let aligned = (size | iova.get() | vaddr) & self.page_mask() == 0;
        if flags & (READ | WRITE) == 0 || size == 0 || !aligned || wraps {
            return Err(Errno::Inval);
        }
        if self.mappings.find(iova.get(), size).is_some() {
            return Err(Errno::Exist);
        }
        let Some(left) = self.available.checked_sub(1) else { return Err(Errno::NoSpc) };
        let end = Iova::new(iova.get().wrapping_add(last));
        if !self.list.allows(iova, end) {
            return Err(Errno::Inval);
        }
        self.available = left;
        self.mappings.insert(iova.get(), size);
        Ok(())
    }

    /// `VFIO_IOMMU_UNMAP_DMA` (`vfio_dma_do_unmap`): how many bytes were unmapped.
    ///
    /// # Errors
    /// As the kernel: `EINVAL` for bad alignment, for a request that would cut a mapping, and for one that wraps
    /// (`EOVERFLOW` on newer kernels).
    pub fn unmap(&mut self, iova: Iova, size: u64, extent: Extent) -> Result<u64, Errno> {
        let mask = self.page_mask();
        if iova.get() & mask != 0 {
            return Err(Errno::Inval);
        }
        let inclusive = rules::T1_INCLUSIVE.holds(self.settings.version);
        let (size, whole) = match extent {
            Extent::All if iova.get() != 0 || size != 0 => return Err(Errno::Inval),
            // Newer kernels name the last address, older ones a size that falls one byte short.
            Extent::All => (if inclusive { 0 } else { u64::MAX }, true),
            Extent::Range if size == 0 || size & mask != 0 => return Err(Errno::Inval),
            Extent::Range => (size, false),
        };
        if !whole && iova.get().checked_add(size.wrapping_sub(1)).is_none() {
            return Err(if inclusive { Errno::Overflow } else { Errno::Inval });
        }
        let v2 = self.settings.interface == Interface::V2;
        if v2 && !whole && self.mappings.bisects(iova.get(), size) {
            return Err(Errno::Inval);
        }
        let removal = if v2 { Removal::Whole } else { Removal::FromStart };
        let removed = self.mappings.remove(iova.get(), size, removal);
        self.available = self.available.saturating_add(removed.count);
        Ok(removed.bytes)
    }
}

/// `VFIO_DMA_MAP_FLAG_READ`.
pub const READ: u32 = 1;
/// `VFIO_DMA_MAP_FLAG_WRITE`.
pub const WRITE: u32 = 2;

/// A request to map (`struct vfio_iommu_type1_dma_map`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MapRequest {
    /// First IOVA.
    pub iova: Iova,
    /// Number of bytes.
    pub size: u64,
    /// Address of the memory in user space.
    pub vaddr: u64,
    /// [`READ`] and [`WRITE`].
    pub flags: u32,
}

/// How much a request unmaps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extent {
    /// What lies in its range.
    Range,
    /// Everything (`VFIO_DMA_UNMAP_FLAG_ALL`); the range must be empty and start at 0.
    All,
}

/// The regions of several groups in one list (`iommu_get_group_resv_regions`, called for one group after the other).
fn merged<'a>(groups: impl IntoIterator<Item = &'a ContainerGroup>) -> Vec<RawRegion> {
    let mut list = RegionList::default();
    for group in groups {
        for regions in group.devices.iter().map_while(Option::as_ref) {
            for &region in regions {
                list.insert(region);
            }
        }
    }
    list.regions()
}
