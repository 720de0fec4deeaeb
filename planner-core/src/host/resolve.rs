//! Facts to host.
