//! Predicts what Linux reserves in a device's address space and lays a guest out around it.
#![forbid(unsafe_code)]

// Vocabulary: usable by every room, knows no host.
pub mod addr;
pub mod diag;
pub mod ids;
pub mod render;
pub mod size;
pub mod span_set;
pub mod version;

// Rooms, in the order of the data.
pub mod emit;
pub mod facts;
pub mod guest;
pub mod host;
pub mod kernel;
pub mod map;
pub mod plan;
pub mod read;
pub mod verify;
pub mod vmm;
