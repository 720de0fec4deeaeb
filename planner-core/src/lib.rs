//! Lays a guest out around what the host's IOMMU reserves.
//!
//! A device that is passed through to a guest does DMA with IOVAs, which without a vIOMMU are guest-physical addresses. Some
//! of them do not work. This library predicts which, to the byte and by kernel version; places the guest's RAM around them
//! in the memory map of the chosen VMM, or says which few causes leave no place; checks the plan with code that shares
//! nothing with the search; writes the VMM's configuration; and draws the picture.
//!
//! It is pure: no file, clock, environment, thread or network. Data goes through rooms in one direction:
//!
//! ```text
//! text, captures ─read▶ facts ─host▶ Host ─kernel▶ ReservedReport ─┐
//!                 └read▶ facts ─guest▶ GuestSpec ─vmm▶ variants ───┴plan▶ Plan | Conflict ─verify▶ ─emit▶ configuration
//!                                                                                          └─────map▶ picture
//! ```
//!
//! The whole way:
//!
//! ```
//! use planner_core::{emit, guest, host, kernel::report, plan, read::language, verify};
//!
//! let text = r#"host "board" {
//!     kernel linux 6.12 { page 4K }
//!     smmu smmu0 { model smmuv3 }
//!     root-complex pcie0 {
//!         smmu smmu0
//!         window mem32 0x4000_0000 + 2G intercepts-p2p
//!         device 01:00.0 { class 0200 }
//!     }
//! }
//! guest "nfv0" { vmm kvmtool  memory 4G  pass 0000:01:00.0 }"#;
//!
//! let (facts, _) = language::parse_host("board", text);
//! let (host, _) = host::resolve::resolve(&facts);
//! let (facts, _) = language::parse_guest("board", text);
//! let (guest, _) = guest::resolve::resolve(&facts, &host);
//! let guest = guest.expect("the facts above can be meant");
//! let reserved = report::report(&host, &report::Question::default());
//! let plan = plan::plan(&host, &reserved, &guest).expect("there is room above the window");
//! assert!(verify::verify(&host, &reserved, &guest, &plan).is_empty());
//! let config = emit::emit(&plan, emit::Target::Kvmtool).expect("it was planned for kvmtool");
//! assert!(config[0].text.contains("-m 4096M@3072M"));
//! ```
//!
//! [`answer::answer`] does all of this in one call, fixes for what does not fit included.
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
pub mod record;
pub mod host;
pub mod kernel;
pub mod guest;
pub mod vmm;
pub mod plan;
pub mod verify;
pub mod emit;
pub mod map;
pub mod inspect;

// All rooms together.
pub mod existing;
pub mod advise;
pub mod answer;
