//! An address space of iommufd: devices and domains come and go, user space maps and unmaps.
//!
//! Follows drivers/iommu/iommufd/io_pagetable.c and ioas.c request by request. Pinning pages and filling page tables
//! always succeed here, and nothing holds a mapping busy.

use std::collections::BTreeMap;

use super::search::Search;
use super::{alignment, holes, outside};
use crate::addr::{Address, Iova, Span};
use crate::kernel::errno::Errno;
use crate::kernel::resv::RawRegion;
use crate::kernel::{ResvKind, rules};
use crate::size::{PageSize, PageSizes, Size};
use crate::version::KernelVersion;

/// Who reserved a stretch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Owner {
    /// A device, by a number of the caller's choice.
    Device(u32),
    /// A domain, by a number of the caller's choice.
    Domain(u32),
}

/// Whether mappings may use pages larger than the host's (`IOMMU_OPTION_HUGE_PAGES`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LargePages {
    /// They may.
    Enabled,
    /// They may not.
    Disabled,
}

/// An address space.
#[derive(Clone, PartialEq, Debug)]
pub struct Ioas {
    version: KernelVersion,
    page_size: PageSize,
    huge_page: Size,
    large_pages: LargePages,
    alignment: u64,
    /// Mappings: by first address, the last address and the offset of the memory within its page.
    areas: BTreeMap<u64, (u64, u64)>,
    /// Sorted by first address; among equals in the order of insertion.
    allowed: Vec<(u64, u64)>,
    reserved: Vec<(u64, u64, Owner)>,
    domains: BTreeMap<u32, PageSizes>,
}

/// A request to map (`struct iommu_ioas_map`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MapRequest {
    /// First IOVA; ignored without [`FIXED_IOVA`].
    pub iova: Iova,
    /// Number of bytes.
    pub length: u64,
    /// Address of the memory in user space.
    pub vaddr: u64,
    /// [`FIXED_IOVA`], [`WRITEABLE`], [`READABLE`].
    pub flags: u32,
}

/// `IOMMU_IOAS_MAP_FIXED_IOVA`.
pub const FIXED_IOVA: u32 = 1;
/// `IOMMU_IOAS_MAP_WRITEABLE`.
pub const WRITEABLE: u32 = 2;
/// `IOMMU_IOAS_MAP_READABLE`.
pub const READABLE: u32 = 4;

impl Ioas {
    /// An empty address space on a host with these pages; `huge_page` is what one entry of the second lowest level of
    /// its page tables maps (`HPAGE_SIZE`: 2 MiB with pages of 4 KiB).
    #[must_use]
    pub fn new(version: KernelVersion, page_size: PageSize, huge_page: Size) -> Self {
        Self {
            version,
            page_size,
            huge_page,
            large_pages: LargePages::Enabled,
            alignment: 1,
            areas: BTreeMap::new(),
            allowed: Vec::new(),
            reserved: Vec::new(),
            domains: BTreeMap::new(),
        }
    }

    /// `IOMMU_IOAS_IOVA_RANGES`: every address that nobody has reserved.
    #[must_use]
    pub fn usable(&self) -> Vec<Span<Iova>> {
        holes(self.reserved.iter().map(|&(start, end, _)| (start, end)), 0, u64::MAX)
    }
    /// `out_iova_alignment`, in bytes.
    #[must_use]
    pub fn alignment(&self) -> Size {
        Size::from_bytes(self.alignment)
    }
    /// First and last address of every mapping, ascending.
    pub fn areas(&self) -> impl Iterator<Item = (Iova, Iova)> {
        self.areas.iter().map(|(&start, &(end, _))| (Iova::new(start), Iova::new(end)))
    }
    /// First and last address of every reservation; they may overlap, and the last may lie one below the first.
    pub fn reserved(&self) -> impl Iterator<Item = (Iova, Iova)> {
        self.reserved.iter().map(|&(start, end, _)| (Iova::new(start), Iova::new(end)))
    }

    fn meets_area(&self, start: u64, end: u64) -> bool {
        // Areas do not overlap one another, so the highest that starts no later than `end` reaches highest.
        self.areas.range(..=end).next_back().is_some_and(|(_, &(last, _))| last >= start)
    }
    fn meets_reserved(&self, start: u64, end: u64) -> bool {
        self.reserved.iter().any(|&(first, last, _)| first <= end && last >= start)
    }
    fn meets_allowed(&self, start: u64, end: u64) -> bool {
        self.allowed.iter().any(|&(first, last)| first <= end && last >= start)
    }

    /// `iopt_reserve_iova`.
    fn reserve(&mut self, start: u64, end: u64, owner: Owner) -> Result<(), Errno> {
        if self.meets_area(start, end) || self.meets_allowed(start, end) {
            return Err(Errno::AddrInUse);
        }
        let at = self.reserved.partition_point(|&(first, _, _)| first <= start);
        self.reserved.insert(at, (start, end, owner));
        Ok(())
    }

    /// Drops what a device or a domain has reserved (`iopt_remove_reserved_iova`).
    pub fn release(&mut self, owner: Owner) {
        self.reserved.retain(|&(_, _, other)| other != owner);
    }

    /// Reserves the regions of a device (`iopt_table_enforce_dev_resv_regions`); the base of its MSI window, if it has
    /// one, is told even when the device is refused.
    ///
    /// # Errors
    /// `EADDRINUSE` over a mapping or an allowed range, `EINVAL` for a device with a hardware MSI region and a window,
    /// or with two windows.
    pub fn add_device(&mut self, device: u32, regions: &[RawRegion]) -> (Result<(), Errno>, Option<Iova>) {
        let (mut hardware, mut windows, mut base) = (0_u32, 0_u32, None);
        let owner = Owner::Device(device);
        let mut outcome = Ok(());
        for region in regions.iter().filter(|region| region.kind != ResvKind::DirectRelaxable) {
            match region.kind {
                ResvKind::Msi => hardware = 1,
                ResvKind::SoftwareMsi => {
                    base = Some(Iova::new(region.start));
                    windows = windows.saturating_add(1);
                }
                _ => {}
            }
            outcome = self.reserve(region.start, region.end(), owner);
            if outcome.is_err() {
                break;
            }
        }
        if outcome.is_ok() && (windows > 1 || windows > 0 && hardware > 0) {
            outcome = Err(Errno::Inval);
        }
        if outcome.is_err() {
            self.release(owner);
        }
        (outcome, base)
    }

    /// Adds a domain (`iopt_table_add_domain`).
    ///
    /// # Errors
    /// `EEXIST` when it is there, `EINVAL` when its smallest page is larger than the host's, `EADDRINUSE` when a
    /// mapping or an allowed range lies outside of its aperture or a mapping is not aligned to its pages.
    ///
    /// The aperture is its first and last address; the kernel does not mind when the last lies below the first, and
    /// then reserves everything.
    pub fn add_domain(
        &mut self,
        domain: u32,
        aperture: (Iova, Iova),
        page_sizes: PageSizes,
    ) -> Result<(), Errno> {
        if self.domains.contains_key(&domain) {
            return Err(Errno::Exist);
        }
        let new = alignment(page_sizes).bytes().max(self.alignment);
        if new > self.page_size.size().bytes() {
            return Err(Errno::Inval);
        }
        if new != self.alignment {
            self.check_alignment(new)?;
        }
        let owner = Owner::Domain(domain);
        for (start, end) in outside(aperture) {
            self.reserve(start, end, owner).inspect_err(|_| self.release(owner))?;
        }
        self.alignment = new;
        self.domains.insert(domain, page_sizes);
        Ok(())
    }

    /// Removes a domain (`iopt_table_remove_domain`). Nothing happens when it is not there.
    pub fn remove_domain(&mut self, domain: u32) {
        if self.domains.remove(&domain).is_some() {
            self.release(Owner::Domain(domain));
            // Mappings that suited the larger alignment suit the smaller one.
            self.alignment = self.needed_alignment();
        }
    }

    /// `iopt_check_iova_alignment`.
    fn check_alignment(&self, alignment: u64) -> Result<(), Errno> {
        let mask = alignment.wrapping_sub(1);
        let fits = |(&start, &(end, offset)): (&u64, &(u64, u64))| {
            (start | end.wrapping_sub(start).wrapping_add(1) | offset) & mask == 0
        };
        if self.areas.iter().all(fits) { Ok(()) } else { Err(Errno::AddrInUse) }
    }

    /// `iopt_calculate_iova_alignment`.
    fn needed_alignment(&self) -> u64 {
        let least = match self.large_pages {
            LargePages::Enabled => 1,
            LargePages::Disabled => self.page_size.size().bytes(),
        };
        self.domains.values().map(|&pages| alignment(pages).bytes()).fold(least, u64::max)
    }

    /// `IOMMU_OPTION_HUGE_PAGES` (`iopt_disable_large_pages`, `iopt_enable_large_pages`).
    ///
    /// # Errors
    /// `EINVAL` when large pages shall go while a domain has mappings, `EADDRINUSE` when a mapping is not aligned to
    /// the host's pages.
    pub fn set_large_pages(&mut self, large_pages: LargePages) -> Result<(), Errno> {
        if self.large_pages == large_pages {
            return Ok(());
        }
        let disable = large_pages == LargePages::Disabled;
        if disable && !self.domains.is_empty() && !self.areas.is_empty() {
            return Err(Errno::Inval);
        }
        let before = std::mem::replace(&mut self.large_pages, large_pages);
        let needed = self.needed_alignment();
        if needed > self.alignment {
            self.check_alignment(needed).inspect_err(|_| self.large_pages = before)?;
        }
        self.alignment = needed;
        Ok(())
    }

    /// `IOMMU_IOAS_ALLOW_IOVAS`: replaces the ranges in which automatic IOVAs are looked for and which later
    /// reservations must not touch. No ranges allow everything.
    ///
    /// # Errors
    /// `EINVAL` for a range that ends where it starts or before, and for ranges that overlap one another; `EADDRINUSE`
    /// over a reserved region. The old ranges then stay.
    pub fn allow(&mut self, ranges: &[(Iova, Iova)]) -> Result<(), Errno> {
        let mut allowed: Vec<(u64, u64)> =
            ranges.iter().map(|(start, end)| (start.get(), end.get())).collect();
        allowed.sort_unstable();
        let overlap = allowed.windows(2).any(|pair| matches!(pair, [(_, end), (next, _)] if next <= end));
        if overlap || allowed.iter().any(|(start, end)| start >= end) {
            return Err(Errno::Inval);
        }
        if allowed.iter().any(|&(start, end)| self.meets_reserved(start, end)) {
            return Err(Errno::AddrInUse);
        }
        self.allowed = allowed;
        Ok(())
    }

    /// `IOMMU_IOAS_MAP`: where the memory was mapped.
    ///
    /// # Errors
    /// As the kernel: `EOPNOTSUPP` for unknown flags, `EOVERFLOW` for requests that wrap, `EINVAL` for bad alignment
    /// and for a reserved place, `EEXIST` over another mapping, `ENOSPC` when no place was found.
    pub fn map(&mut self, request: &MapRequest) -> Result<Iova, Errno> {
        let MapRequest { iova, length, vaddr, flags } = *request;
        let page = self.page_size.size().bytes();
        if flags & !(FIXED_IOVA | WRITEABLE | READABLE) != 0 {
            return Err(Errno::OpNotSupp);
        }
        if iova.get() == u64::MAX || length == u64::MAX {
            return Err(Errno::Overflow);
        }
        if flags & (WRITEABLE | READABLE) == 0 {
            return Err(Errno::Inval);
        }
        self.check_memory(vaddr, length)?;
        let mask = self.alignment.wrapping_sub(1);
        if length & mask != 0 {
            return Err(Errno::Inval);
        }
        let start = if flags & FIXED_IOVA == 0 {
            self.search(vaddr, length)?
        } else {
            self.check_iova(iova.get(), length)?;
            iova.get()
        };
        let offset = vaddr % page;
        if offset & mask != 0 {
            return Err(Errno::Inval);
        }
        let end = start.checked_add(length.wrapping_sub(1)).ok_or(Errno::Overflow)?;
        self.areas.insert(start, (end, offset));
        Ok(Iova::new(start))
    }

    /// `iopt_alloc_pages`, and since [`rules::FD_MEMORY_FIRST`] `iopt_map_user_pages` before it.
    fn check_memory(&self, vaddr: u64, length: u64) -> Result<(), Errno> {
        let wraps = vaddr.checked_add(length).is_none();
        if wraps && rules::FD_MEMORY_FIRST.holds(self.version) {
            return Err(Errno::Overflow);
        }
        let page = self.page_size.size().bytes();
        if length == 0 || length > u64::MAX.wrapping_sub(page) {
            return Err(Errno::Inval);
        }
        if wraps { Err(Errno::Overflow) } else { Ok(()) }
    }

    /// `iopt_check_iova`.
    fn check_iova(&self, iova: u64, length: u64) -> Result<(), Errno> {
        if iova & self.alignment.wrapping_sub(1) != 0 {
            return Err(Errno::Inval);
        }
        let last = iova.checked_add(length.wrapping_sub(1)).ok_or(Errno::Overflow)?;
        if self.meets_reserved(iova, last) {
            return Err(Errno::Inval);
        }
        if self.meets_area(iova, last) { Err(Errno::Exist) } else { Ok(()) }
    }

    fn search(&self, vaddr: u64, length: u64) -> Result<u64, Errno> {
        let reserved = self.reserved.iter().map(|&(start, end, _)| (start, end));
        let areas = self.areas.iter().map(|(&start, &(end, _))| (start, end));
        let mut taken: Vec<(u64, u64)> = reserved.chain(areas).collect();
        taken.sort_by_key(|&(start, _)| start);
        let search = Search {
            page_bytes: self.page_size.size().bytes(),
            huge_page_bytes: self.huge_page.bytes(),
            alignment: self.alignment,
            allowed: &self.allowed,
            taken: &taken,
        };
        search.place(vaddr, length)
    }

    /// `IOMMU_IOAS_UNMAP`: how many bytes were unmapped. From 0 with a length of 2^64-1 it unmaps everything.
    ///
    /// # Errors
    /// `ENOENT` when nothing is mapped there or a mapping would be cut; what lies below the cut is gone then.
    pub fn unmap(&mut self, iova: Iova, length: u64) -> Result<u64, Errno> {
        let start = iova.get();
        if start == 0 && length == u64::MAX {
            let all = self.remove(0, u64::MAX);
            return all.or(Ok(0));
        }
        if start == u64::MAX || length == u64::MAX {
            return Err(Errno::Overflow);
        }
        let last = length.checked_sub(1).ok_or(Errno::Inval)?;
        self.remove(start, start.checked_add(last).ok_or(Errno::Overflow)?)
    }

    /// `iopt_unmap_iova_range`.
    fn remove(&mut self, start: u64, end: u64) -> Result<u64, Errno> {
        let mut bytes = 0_u64;
        let reaching = self.areas.range(..start).next_back().is_some_and(|(_, &(last, _))| last >= start);
        if reaching {
            return Err(Errno::NoEnt);
        }
        while let Some((&first, &(last, _))) = self.areas.range(start..=end).next() {
            if last > end {
                return Err(Errno::NoEnt);
            }
            self.areas.remove(&first);
            bytes = bytes.wrapping_add(last.wrapping_sub(first)).wrapping_add(1);
        }
        if bytes == 0 { Err(Errno::NoEnt) } else { Ok(bytes) }
    }
}
