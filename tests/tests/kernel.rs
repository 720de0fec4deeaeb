//! The kernel model against what the kernel's own code answered, and what it says about small hosts.

#[path = "kernel/dma.rs"]
mod dma;
#[path = "kernel/firmware.rs"]
mod firmware;
#[path = "kernel/groundtruth.rs"]
mod groundtruth;
#[path = "kernel/hosts.rs"]
mod hosts;
#[path = "kernel/iommufd.rs"]
mod iommufd;
#[path = "kernel/iova.rs"]
mod iova;
#[path = "kernel/msi.rs"]
mod msi;
#[path = "kernel/report.rs"]
mod report;
#[path = "kernel/resv.rs"]
mod resv;
#[path = "kernel/type1.rs"]
mod type1;
#[path = "kernel/vectors.rs"]
mod vectors;
