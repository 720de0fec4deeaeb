//! Configuration of each VMM.
