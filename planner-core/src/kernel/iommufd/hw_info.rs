//! What iommufd tells of an IOMMU itself (`IOMMU_GET_HW_INFO`), and which kinds of page tables it lets user space make
//! (`IOMMU_HWPT_ALLOC`). What is left out: AMD's, which needs a kernel built for it and was never seen.

use crate::facts::host::IommuModel;
use crate::kernel::rules;
use crate::version::KernelVersion;

/// What kind of registers a driver hands out (`enum iommu_hw_info_type`, include/uapi/linux/iommufd.h).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HwInfo {
    /// `IOMMU_HW_INFO_TYPE_NONE`: none.
    None,
    /// `IOMMU_HW_INFO_TYPE_INTEL_VTD`: the capability registers.
    IntelVtd,
    /// `IOMMU_HW_INFO_TYPE_ARM_SMMUV3`: the ID registers.
    ArmSmmuV3,
}

impl HwInfo {
    /// What a driver hands out; `None` where that is not known.
    #[must_use]
    pub fn of(model: IommuModel, version: KernelVersion) -> Option<Self> {
        match model {
            IommuModel::AmdVi => None,
            IommuModel::IntelVtd => Some(Self::IntelVtd),
            model if model.is_smmuv3() && rules::FD_HW_SMMU.holds(version) => Some(Self::ArmSmmuV3),
            _ => Some(Self::None),
        }
    }

    /// The number that stands for it.
    #[must_use]
    pub const fn number(self) -> u64 {
        match self {
            Self::None => 0,
            Self::IntelVtd => 1,
            Self::ArmSmmuV3 => 2,
        }
    }

    /// How many bytes of registers there are (`struct iommu_hw_info_vtd`, `struct iommu_hw_info_arm_smmuv3`).
    #[must_use]
    pub const fn data_bytes(self) -> u64 {
        match self {
            Self::None => 0,
            Self::IntelVtd => 24,
            Self::ArmSmmuV3 => 40,
        }
    }

    /// Whether user space may make page tables that others are nested in (`IOMMU_HWPT_ALLOC_NEST_PARENT`), by the
    /// registers: `None` when they end too early.
    ///
    /// VT-d wants scalable mode and nested translation (ECAP.SMTS, bit 43, and ECAP.NEST, bit 26;
    /// drivers/iommu/intel/iommu.h, `nested_supported`), an SMMUv3 both stages (IDR0.S2P and IDR0.S1P, bits 0 and 1;
    /// drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c, `arm_smmu_device_hw_probe`).
    #[must_use]
    pub fn nests(self, registers: &[u8]) -> Option<bool> {
        let has = |offset: usize, bits: u64| {
            let register = registers.get(offset..)?.first_chunk()?;
            Some(u64::from_le_bytes(*register) & bits == bits)
        };
        match self {
            Self::None => Some(false),
            Self::IntelVtd => has(16, 1 << 43 | 1 << 26),
            Self::ArmSmmuV3 => has(8, 0b11),
        }
    }
}

/// `IOMMU_HW_CAP_DIRTY_TRACKING`, a bit of `out_capabilities`: page tables may be made that tell which pages were written
/// to (`IOMMU_HWPT_ALLOC_DIRTY_TRACKING`).
pub const DIRTY_TRACKING: u64 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_smmu_tells_of_itself_since_6_13() {
        // K-FDHWINFO and K-FDHWSMMU, as booted kernels answered: 6.12 type 0, 7.3 type 2.
        let of = |model, version: &str| HwInfo::of(model, version.parse().unwrap()).map(HwInfo::number);
        assert_eq!(of(IommuModel::SmmuV3, "6.12"), Some(0));
        assert_eq!(of(IommuModel::SmmuV3, "7.3"), Some(2));
        assert_eq!(of(IommuModel::IntelVtd, "6.12"), Some(1));
        assert_eq!(of(IommuModel::VirtioIommu, "7.3"), Some(0));
        assert_eq!(of(IommuModel::SmmuV2, "7.3"), Some(0));
        assert_eq!(of(IommuModel::AmdVi, "7.3"), None);
    }

    #[test]
    fn both_stages_or_scalable_mode_are_needed_to_nest() {
        let mut registers = [0; 40];
        registers[8] = 0x1b;
        assert_eq!(HwInfo::ArmSmmuV3.nests(&registers), Some(true));
        registers[8] = 0x1a;
        assert_eq!(HwInfo::ArmSmmuV3.nests(&registers), Some(false));
        assert_eq!(HwInfo::ArmSmmuV3.nests(&registers[..15]), None);
        assert_eq!(HwInfo::None.nests(&[]), Some(false));
        let vtd = |ecap: u64| {
            let mut registers = [0; 24];
            registers[16..].copy_from_slice(&ecap.to_le_bytes());
            HwInfo::IntelVtd.nests(&registers)
        };
        assert_eq!(vtd(0x8800_00f0_0f4a), Some(false), "QEMU's scalable mode does not nest");
        assert_eq!(vtd(0x8800_04f0_0f4a), Some(true));
    }
}
