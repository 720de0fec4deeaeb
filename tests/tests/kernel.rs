//! The kernel model against what the kernel's own code answered.

#[path = "kernel/resv.rs"]
mod resv;
#[path = "kernel/vectors.rs"]
mod vectors;
