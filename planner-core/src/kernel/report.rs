//! What Linux reserves on a host.
