//! A domain of the host's own DMA: what it keeps out of, where it starts, and which addresses devices get
//! (drivers/iommu/dma-iommu.c).
//!
//! Guests never see these addresses. They matter where a doorbell is mapped for a device that stays with the host, and
//! where somebody asks why a device of the host got this address or none. The allocator itself is in
//! [`iova`](super::iova), what is reserved when a domain is set up in `reserve`, and the doorbells of domains that
//! user space owns in [`msi`](super::msi). What is left out: page tables, flush queues and bounce buffers.

mod reserve;

use std::collections::BTreeMap;

use super::errno::Errno;
use super::iova::{IovaDomain, Pfn, WhenFull};
use super::resv::RawRegion;
use super::rules;
use crate::addr::{Address, Hpa, Iova};
use crate::size::{PageSize, PageSizes, Size};
use crate::span_set::SpanSet;
use crate::version::KernelVersion;

/// `DMA_BIT_MASK(32)`.
const MASK_32BIT: u64 = 0xffff_ffff;

/// The kernel around a domain, and the domain's own properties.
#[derive(Clone, Copy, Debug)]
pub struct DomainSettings {
    /// Version.
    pub version: KernelVersion,
    /// Page size of the host kernel.
    pub page_size: PageSize,
    /// Page sizes of the domain.
    pub page_sizes: PageSizes,
    /// First IOVA that the IOMMU translates (`geometry.aperture_start`).
    pub aperture_start: Iova,
    /// Last IOVA that the IOMMU translates (`geometry.aperture_end`).
    pub aperture_end: Iova,
    /// Whether nothing else may be used (`geometry.force_aperture`).
    pub force_aperture: bool,
    /// CPUs that are online.
    pub cpus: u32,
}

/// What the kernel knows of a device that does DMA.
#[derive(Clone, Debug)]
pub struct DmaDevice {
    /// The host bridge that a PCI device is below; `None` for other devices.
    pub bridge: Option<HostBridge>,
    /// Its reserved regions, in the order of its IOMMU's driver.
    pub regions: Vec<RawRegion>,
    /// The addresses that its driver says it can put out (`dma_mask`).
    pub dma_mask: u64,
    /// The last address that passes the bus on the way (`bus_dma_limit`); 0 for no limit.
    pub bus_dma_limit: u64,
    /// Where firmware says that its DMA begins and ends; only older kernels look ([`rules::DMA_BASE`]).
    pub dma_base_limit: (Iova, Iova),
    /// The DMA ranges that firmware gives, as start and size; only newer kernels look ([`rules::DMA_MAP`]).
    pub dma_range_map: Vec<(Iova, Size)>,
    /// Whether it still tries addresses below 4 GiB first: true for PCI devices in the beginning, unless
    /// `iommu.forcedac` is set.
    pub tries_32bit: bool,
}

/// What a PCI host bridge passes on (`struct pci_host_bridge`).
#[derive(Clone, Debug, Default)]
pub struct HostBridge {
    /// Its memory windows, in the kernel's order.
    pub memory_windows: Vec<BridgeWindow>,
    /// Its inbound windows, in the order of firmware.
    pub dma_ranges: Vec<BridgeWindow>,
}

/// A window of a host bridge (`struct resource_entry`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BridgeWindow {
    /// First CPU address.
    pub start: Hpa,
    /// Last CPU address.
    pub end: Hpa,
    /// CPU address less bus address, modulo 2^64.
    pub offset: u64,
}

impl BridgeWindow {
    /// First and last bus address.
    fn bus(&self) -> (u64, u64) {
        (self.start.get().wrapping_sub(self.offset), self.end.get().wrapping_sub(self.offset))
    }
}

/// A DMA domain (`struct iommu_domain` with an IOVA cookie).
#[derive(Clone, Debug)]
pub struct DmaDomain {
    settings: DomainSettings,
    /// `None` until the first device has set it up.
    iovad: Option<IovaDomain>,
    msi_pages: MsiPages,
}

impl DmaDomain {
    /// A domain that no device has set up yet.
    #[must_use]
    pub fn new(settings: DomainSettings) -> Self {
        Self { settings, iovad: None, msi_pages: MsiPages::default() }
    }

    /// The allocator, once a device has set the domain up.
    #[must_use]
    pub const fn iovas(&self) -> Option<&IovaDomain> {
        self.iovad.as_ref()
    }

    /// Sets the domain up for a device (`iommu_dma_init_domain`). Only the first device has its windows and regions
    /// reserved.
    ///
    /// # Errors
    /// `EFAULT` when the device's DMA lies outside of the aperture or begins elsewhere than that of the first device;
    /// `EINVAL` when the inbound windows of its bridge overlap, after which the domain can be used all the same. Also
    /// `EINVAL` for an IOMMU whose smallest page is larger than the host's, at which the kernel stops altogether.
    pub fn init(&mut self, device: &DmaDevice) -> Result<(), Errno> {
        let granule = self.granule().ok_or(Errno::Inval)?;
        let start_pfn = self.start_pfn(device, granule)?;
        if let Some(iovad) = &self.iovad {
            return if iovad.start_pfn() == start_pfn { Ok(()) } else { Err(Errno::Fault) };
        }
        let DomainSettings { version, cpus, .. } = self.settings;
        let iovad = IovaDomain::new(granule, start_pfn, cpus, version).ok_or(Errno::Inval)?;
        let iovad = self.iovad.insert(iovad);
        reserve::device(iovad, &mut self.msi_pages, device, version)
    }

    /// The smallest page of the domain, if it is no larger than the host's.
    fn granule(&self) -> Option<Size> {
        let bitmap = self.settings.page_sizes.bitmap();
        let smallest = Size::from_bytes(bitmap & bitmap.wrapping_neg());
        (!smallest.is_zero() && smallest <= self.settings.page_size.size()).then_some(smallest)
    }

    /// Where allocation starts: never at 0, which stands for failure.
    fn start_pfn(&self, device: &DmaDevice, granule: Size) -> Result<Pfn, Errno> {
        let DomainSettings { version, aperture_start, aperture_end, force_aperture, .. } = self.settings;
        let by_base = rules::DMA_BASE.holds(version);
        let (base, limit) = if by_base { device.dma_base_limit } else { hull(&device.dma_range_map) };
        let compared = if by_base { force_aperture } else { !device.dma_range_map.is_empty() };
        if compared && (base > aperture_end || limit < aperture_start) {
            return Err(Errno::Fault);
        }
        let shift = granule.bytes().trailing_zeros();
        let from_base = if by_base { base.get() >> shift } else { 0 };
        let from_aperture = if by_base && !force_aperture { 0 } else { aperture_start.get() >> shift };
        Ok(from_base.max(from_aperture).max(1))
    }

    /// An address for so many bytes of the device's DMA, at `dma_limit` or below (`iommu_dma_alloc_iova`). `None` when
    /// there is none, and before the domain is set up.
    pub fn alloc(&mut self, device: &mut DmaDevice, size: Size, dma_limit: u64) -> Option<Iova> {
        let settings = self.settings;
        let iovad = self.iovad.as_mut()?;
        let shift = iovad.shift();
        let pages = size.bytes() >> shift;
        let limits = [dma_limit, device.bus_dma_limit];
        // min_not_zero: zero is no limit, unless both are.
        let mut limit = limits.into_iter().filter(|&limit| limit != 0).min().unwrap_or(0);
        if settings.force_aperture {
            limit = limit.min(settings.aperture_end.get());
        }
        let mut pfn = None;
        if limit > MASK_32BIT && device.tries_32bit {
            pfn = iovad.alloc_fast(pages, MASK_32BIT >> shift, WhenFull::Fail);
            device.tries_32bit = pfn.is_some() || rules::DMA_32BIT_ALWAYS.holds(settings.version);
        }
        let pfn = pfn.or_else(|| iovad.alloc_fast(pages, limit >> shift, WhenFull::FlushCaches))?;
        Some(Iova::new(pfn.wrapping_shl(shift)))
    }

    /// Gives an allocation back (`iommu_dma_free_iova`).
    pub fn free(&mut self, iova: Iova, size: Size) {
        if let Some(iovad) = &mut self.iovad {
            let shift = iovad.shift();
            iovad.free_fast(iova.get() >> shift, size.bytes() >> shift);
        }
    }

    /// The IOVA at which the device reaches a doorbell (`iommu_dma_get_msi_page`). `None` when no address is left for
    /// its page, or when it cannot be mapped.
    pub fn map_doorbell(&mut self, device: &mut DmaDevice, doorbell: Hpa) -> Option<Iova> {
        let granule = Size::from_bytes(1 << self.iovad.as_ref()?.shift());
        let page = doorbell.align_down(granule);
        let offset = doorbell.get().wrapping_sub(page.get());
        if let Some(iova) = self.msi_pages.find(page) {
            return Some(Iova::new(iova.get().wrapping_add(offset)));
        }
        // dma_get_mask(): a device without a mask has one of 32 bits.
        let mask = if device.dma_mask == 0 { MASK_32BIT } else { device.dma_mask };
        let iova = self.alloc(device, granule, mask)?;
        if !self.maps(iova, granule) {
            self.free(iova, granule);
            return None;
        }
        self.msi_pages.mapped.insert(page, iova);
        Some(Iova::new(iova.get().wrapping_add(offset)))
    }

    /// Whether the IOMMU can map it.
    fn maps(&self, iova: Iova, size: Size) -> bool {
        let DomainSettings { aperture_start, aperture_end, force_aperture, .. } = self.settings;
        let last = iova.get().wrapping_add(size.bytes()).wrapping_sub(1);
        !force_aperture || iova >= aperture_start && Iova::new(last) <= aperture_end && iova.get() <= last
    }
}

/// The lowest and the highest address of DMA ranges (`dma_range_map_min`, `dma_range_map_max`).
fn hull(map: &[(Iova, Size)]) -> (Iova, Iova) {
    let (mut lowest, mut highest) = (Iova::new(u64::MAX), Iova::new(0));
    // A size of zero marks the end.
    for &(start, size) in map.iter().take_while(|(_, size)| !size.is_zero()) {
        lowest = lowest.min(start);
        highest = highest.max(Iova::new(start.get().wrapping_add(size.bytes()).wrapping_sub(1)));
    }
    (lowest, highest)
}

/// Doorbell pages of a domain (`msi_page_list`).
#[derive(Clone, Debug, Default)]
struct MsiPages {
    /// The pages of hardware MSI regions, which stand for themselves.
    identity: SpanSet<Hpa>,
    /// Pages that were mapped since.
    mapped: BTreeMap<Hpa, Iova>,
}

impl MsiPages {
    fn find(&self, page: Hpa) -> Option<Iova> {
        if self.identity.contains(page) {
            Some(Iova::new(page.get()))
        } else {
            self.mapped.get(&page).copied()
        }
    }
}
