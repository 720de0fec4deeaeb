//! What a line of a log says: the IOVA, the size and the error in it, and which part of the guest it is about.

use planner_core::size::parse_number;

/// A mapping that failed, or a fault.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Logged {
    /// First IOVA.
    pub(super) iova: Option<u64>,
    /// Number of bytes.
    pub(super) size: Option<u64>,
    /// Error number, positive.
    pub(super) errno: Option<u32>,
    /// Whether it is about a BAR of a device, not about RAM.
    pub(super) is_bar: bool,
    /// Whether an IOMMU reports a fault, rather than a VMM a mapping.
    pub(super) is_fault: bool,
}

/// Error numbers of Linux (include/uapi/asm-generic/errno-base.h and errno.h) with the words that glibc has for them.
const ERRORS: [(u32, &str, &str); 10] = [
    (1, "EPERM", "Operation not permitted"),
    (7, "E2BIG", "Argument list too long"),
    (12, "ENOMEM", "Cannot allocate memory"),
    (13, "EACCES", "Permission denied"),
    (14, "EFAULT", "Bad address"),
    (16, "EBUSY", "Device or resource busy"),
    (17, "EEXIST", "File exists"),
    (22, "EINVAL", "Invalid argument"),
    (28, "ENOSPC", "No space left on device"),
    (75, "EOVERFLOW", "Value too large for defined data type"),
];

/// The name of an error number.
pub(super) fn name(errno: u32) -> &'static str {
    ERRORS.iter().find(|(number, ..)| *number == errno).map_or("an error", |(_, name, _)| name)
}

/// QEMU's calls that map, as it prints them (hw/vfio/listener.c; hw/vfio/common.c before 10.0): container, IOVA, size.
const CALLS: [&str; 2] = ["vfio_container_dma_map(", "vfio_dma_map("];
/// Other words for a mapping that failed: QEMU before 10.0, its iommufd backend, rust-vmm's vfio-ioctls; QEMU when a
/// mapping fails while the guest runs; Cloud Hypervisor; crosvm.
const FAILURES: [&str; 8] = [
    "VFIO_MAP_DMA",
    "VFIO_IOMMU_MAP_DMA",
    "IOMMU_IOAS_MAP",
    "IommuDmaMap",
    "DmaMap",
    "DMA mapping failed, unable to continue",
    "Failed to DMA map",
    "failed to add guest memory map into iommu table",
];
/// What stands before the address of a fault: Arm SMMU, Intel, AMD.
const FAULTS: [&str; 5] = ["iova=", "iova: ", "fault addr ", "address=", "iova "];
/// What shows that such a line is from an IOMMU.
const IOMMUS: [&str; 5] = ["smmu", "DMAR", "AMD-Vi", "IO_PAGE_FAULT", "iommu"];

/// What the line says, if it is about a mapping or a fault.
pub(super) fn read(line: &str) -> Option<Logged> {
    let mut logged =
        call(line).or_else(|| kvmtool(line)).or_else(|| failure(line)).or_else(|| fault(line))?;
    logged.errno = logged.errno.or_else(|| errno(line));
    logged.is_bar = line.contains(" BAR ") || line.contains("mmaps[") || line.contains("PCI BAR?");
    Some(logged)
}

/// `vfio_container_dma_map(0x5581, 0x40000000, 0x80000000, 0x7f31) = -22 (Invalid argument)`
fn call(line: &str) -> Option<Logged> {
    let (_, rest) = CALLS.iter().find_map(|name| line.split_once(name))?;
    let mut numbers =
        rest.split(')').next()?.split(',').skip(1).map(|number| parse_number(number.trim()).ok());
    let (iova, size) = (numbers.next().flatten(), numbers.next().flatten());
    Some(Logged { iova, size, ..Logged::default() })
}

/// `Failed to map 0x40000000 -> 0x7f3100000000 (2147483648) for DMA`: IOVA, address in the VMM, size in decimal
/// (kvmtool, vfio/core.c).
fn kvmtool(line: &str) -> Option<Logged> {
    let (_, rest) = line.split_once("Failed to map ")?;
    let (iova, rest) = rest.split_once(" -> ")?;
    let (size, _) = rest.split_once('(')?.1.split_once(") for DMA")?;
    Some(Logged { iova: parse_number(iova).ok(), size: parse_number(size).ok(), ..Logged::default() })
}

fn failure(line: &str) -> Option<Logged> {
    FAILURES.iter().any(|words| line.contains(words)).then(Logged::default)
}

/// `arm-smmu …: Unhandled context fault: fsr=0x402, iova=0x8020000, …`,
/// `DMAR: [DMA Write] Request device [03:00.0] fault addr 0xfee00000`, `AMD-Vi: … [IO_PAGE_FAULT … address=0x…]`
fn fault(line: &str) -> Option<Logged> {
    if !IOMMUS.iter().any(|words| line.contains(words)) {
        return None;
    }
    let iova = FAULTS.iter().find_map(|before| number_after(line, before))?;
    Some(Logged { iova: Some(iova), is_fault: true, ..Logged::default() })
}

/// The hexadecimal number right behind these words. Intel's driver has printed it with and without `0x`.
fn number_after(line: &str, before: &str) -> Option<u64> {
    let (_, rest) = line.split_once(before)?;
    let digits = rest.trim_start();
    let digits = digits.strip_prefix("0x").unwrap_or(digits);
    let end = digits.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(digits.len());
    u64::from_str_radix(digits.get(..end)?, 16).ok()
}

fn errno(line: &str) -> Option<u32> {
    let after = |words: &str| {
        let (_, rest) = line.split_once(words)?;
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest.get(..end)?.parse().ok()
    };
    let named = || ERRORS.iter().find(|(_, name, words)| line.contains(name) || line.contains(words));
    after(") = -").or_else(|| after("os error ")).or_else(|| named().map(|(number, ..)| *number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, iova: Option<u64>, size: Option<u64>, errno: Option<u32>) {
        let logged = read(line).unwrap();
        assert_eq!((logged.iova, logged.size, logged.errno), (iova, size, errno), "{line}");
    }

    #[test]
    fn mappings_of_every_vmm_are_read() {
        check(
            "qemu-system-aarch64: -device vfio-pci,host=0000:01:00.0: vfio 0000:01:00.0: failed to setup container for \
             group 5: memory listener initialization failed: Region mach-virt.ram: \
             vfio_container_dma_map(0xaaab0d0e7ac0, 0x40000000, 0x80000000, 0xffff0be00000) = -22 (Invalid argument)",
            Some(0x4000_0000),
            Some(0x8000_0000),
            Some(22),
        );
        let old = "vfio_dma_map(0x55, 0x380000000000, 0x10000000, 0x7f) = -22";
        check(old, Some(0x3800_0000_0000), Some(0x1000_0000), Some(22));
        check("VFIO_MAP_DMA failed: Invalid argument", None, None, Some(22));
        check("VFIO_MAP_DMA failed: Cannot allocate memory", None, None, Some(12));
        let kvmtool = "  Error: Failed to map 0x80000000 -> 0xffff5be00000 (17179869184) for DMA";
        check(kvmtool, Some(0x8000_0000), Some(1 << 34), None);
        for line in [
            "qemu: hardware error: vfio: DMA mapping failed, unable to continue",
            "Error booting VM: Failed to DMA map VFIO device",
            "failed to add guest memory map into iommu table",
        ] {
            check(line, None, None, None);
        }
        check("IommuDmaMap(Invalid argument (os error 22))", None, None, Some(22));
    }

    #[test]
    fn faults_of_every_iommu_are_read() {
        let arm =
            "arm-smmu 2b500000.smmu: Unhandled context fault: fsr=0x402, iova=0x08020040, fsynr=0x30, cb=1";
        check(arm, Some(0x802_0040), None, None);
        let intel = "DMAR: [DMA Write] Request device [03:00.0] fault addr fee00000 [fault reason 05]";
        check(intel, Some(0xfee0_0000), None, None);
        let amd = "AMD-Vi: Event logged [IO_PAGE_FAULT device=03:00.0 domain=0x000e address=0xfdf8000000 flags=0x0020]";
        check(amd, Some(0xfd_f800_0000), None, None);
    }

    #[test]
    fn other_lines_are_left_alone() {
        for line in ["", "hello", ") = -22", "address=0x1000", "eth0: link is up", "vfio_container_dma_map"] {
            assert_eq!(read(line), None, "{line}");
        }
    }

    #[test]
    fn numbers_that_are_none_are_left_out() {
        check("vfio_container_dma_map(", None, None, None);
        check("vfio_dma_map(0x1, 0xffffffffffffffffff, 0xé, 0) = -99999999999", None, None, None);
    }

    #[test]
    fn a_bar_is_told_from_ram() {
        let line = "Region 0000:0e:00.0 BAR 1 mmaps[0]: vfio_container_dma_map(0x1, 0x380000000000, 0x1000, 0x2) = -22";
        assert!(read(line).unwrap().is_bar);
        assert!(!read("vfio_container_dma_map(0x1, 0x40000000, 0x1000, 0x2) = -22").unwrap().is_bar);
    }
}
