//! The kernel model against what the kernel's own code answered, and what it says about small hosts.

#[path = "kernel/conformance.rs"]
mod conformance;
#[path = "kernel/container.rs"]
mod container;
#[path = "kernel/dma.rs"]
mod dma;
#[path = "kernel/firmware.rs"]
mod firmware;
#[path = "kernel/groundtruth.rs"]
mod groundtruth;
#[path = "kernel/hosts.rs"]
mod hosts;
#[path = "kernel/report.rs"]
mod report;
#[path = "kernel/rules.rs"]
mod rules;
