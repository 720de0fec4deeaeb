//! A VMM that its user describes: where it can put memory, and what else lies in its guest's address space.

use serde::{Deserialize, Serialize};

use super::words;
use crate::addr::{Gpa, Span};
use crate::size::Size;

/// What a VMM can do, in its user's words. What is left out does not bind: with nothing said, memory may lie anywhere.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CustomVmm {
    /// Memory at boot fills these in order, ascending. Empty when it can be moved.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ram: Vec<Span<Gpa>>,
    /// Memory at boot is one piece anywhere in here; the whole address space if absent and there is no `ram`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub movable: Option<Span<Gpa>>,
    /// Start and size of every piece of memory at a chosen address are multiples of this power of two; the size of the
    /// host pages behind it if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub align: Option<Size>,
    /// Into how many pieces memory may be split, 1 to 64: memory at boot and so many less one above it; 1 if absent,
    /// and 64 where nothing at all is said of memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pieces: Option<u32>,
    /// What lies at fixed addresses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<CustomRegion>,
    /// Windows for BARs; without any, BARs are left out of account.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<CustomWindow>,
    /// The most guest-physical address bits that it can handle, 32 to 64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipa_bits: Option<u8>,
    /// What it does about DMA to BARs; `none` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bars: Option<BarMapping>,
}

/// Something at fixed addresses.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomRegion {
    /// Its name.
    pub name: String,
    /// The addresses.
    pub span: Span<Gpa>,
    /// What it is.
    pub kind: CustomRegionKind,
}

/// A window for BARs.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomWindow {
    /// Its name.
    pub name: String,
    /// For which BARs.
    pub kind: CustomWindowKind,
    /// The window; where `size` is given, where it may lie.
    pub span: Span<Gpa>,
    /// Its least size, for a window that can be moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<Size>,
    /// Its largest size, if it can be given others; the size is doubled until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<Size>,
}

words! {
    /// What lies at fixed addresses in a described VMM.
    CustomRegionKind {
        /// Platform devices, or anything else.
        Platform = "platform",
        /// PCI configuration space.
        Ecam = "ecam",
        /// I/O ports.
        Pio = "pio",
        /// Firmware flash.
        Flash = "flash",
        /// GIC distributor.
        Gicd = "gicd",
        /// GIC redistributors.
        Gicr = "gicr",
        /// Interrupt translation service.
        Its = "its",
        /// GICv2m frame.
        V2m = "v2m",
        /// The guest's SMMU.
        Smmu = "smmu",
        /// virtio-mmio transports.
        VirtioMmio = "virtio-mmio",
        /// Where MSIs go.
        Msi = "msi",
        /// Addresses that stay empty.
        Hole = "hole",
    }
}

words! {
    /// A window of a described VMM.
    CustomWindowKind {
        /// For 32-bit BARs; it ends below 4 GiB.
        Mmio32 = "mmio32",
        /// For 64-bit BARs.
        Mmio64 = "mmio64",
    }
}

words! {
    /// What a VMM does about DMA from one passed device to the BARs of another.
    BarMapping {
        /// It maps no BARs into the IOMMU.
        None = "none",
        /// It maps them, and goes on without those that cannot be mapped.
        Warns = "warns",
        /// It maps them, from the end of each window, and dies when one cannot be mapped.
        Dies = "dies",
    }
}
