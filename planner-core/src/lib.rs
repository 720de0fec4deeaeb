//! Predicts what Linux reserves in a device's address space and lays a guest out around it.
#![forbid(unsafe_code)]

// Vocabulary: usable by every room, knows no host.
pub mod addr;
pub mod size;
pub mod span_set;
pub mod ids;
pub mod version;
pub mod diag;
pub mod render;

// Rooms, in the order of the data.
pub mod facts;
pub mod read;
pub mod host;
pub mod kernel;
pub mod guest;
pub mod vmm;
pub mod plan;
pub mod verify;
pub mod emit;
pub mod map;

// All rooms together.
pub mod advise;
pub mod answer;
