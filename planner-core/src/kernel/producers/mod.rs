//! What the drivers of IOMMUs and the readers of firmware tables make reserved, as functions over plain inputs.
//!
//! One file per driver or table. Which device of a host has which inputs is told in `predict`; what a group makes of
//! the regions of its devices in [`super::resv`].

pub mod iort;
pub mod of;
pub mod virtio;
