//! How much the tables of one machine may come to.

/// Most ranges of requesters that a table makes: one for each requester of a segment.
pub(super) const MOST_ROWS: usize = 0x1_0000;
/// Most steps on the ways of requesters through the nodes of a table: through two nodes, to SMMU and to ITS.
pub(super) const MOST_STEPS: usize = 4 * MOST_ROWS;
/// Most regions that firmware reserves; real machines have a few dozen.
pub(super) const MOST_REGIONS: usize = 1024;
/// Most entries of the MCFG, and most ITSs, frames and IOMMUs of a kind; the largest machines have several hundred.
pub(super) const MOST_PARTS: usize = 4096;
