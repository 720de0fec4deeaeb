//! What files say about a host and a guest, each fact with its origin, nothing yet believed.
//!
//! One model, several spellings: the description language, JSON and captures all read into it, and it prints as the
//! first two. Names that refer to other facts are still names here; [`crate::host::Host`] resolves them.

pub mod configured;
pub mod custom;
pub mod guest;
pub mod host;
pub mod pci;

pub use configured::ConfiguredFacts;
pub use guest::GuestFacts;
pub use host::HostFacts;

use serde::{Deserialize, Serialize};

/// The instruction set of a machine.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Arch {
    /// 64-bit Arm.
    Aarch64,
    /// 64-bit x86.
    #[serde(rename = "x86_64")]
    X86_64,
    /// 64-bit RISC-V.
    Riscv64,
}

impl Arch {
    /// Every architecture with the word for it.
    pub const WORDS: [(&'static str, Self); 3] =
        [("aarch64", Self::Aarch64), ("x86_64", Self::X86_64), ("riscv64", Self::Riscv64)];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        word_of(&Self::WORDS, self)
    }
}

impl std::fmt::Display for Arch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// The word that a table of words gives for a value; every value of the enum stands in its table.
pub(crate) fn word_of<T: PartialEq>(words: &[(&'static str, T)], value: T) -> &'static str {
    words.iter().find(|(_, v)| *v == value).map_or("?", |(word, _)| word)
}

/// The value for a word, if the table has it.
#[must_use]
pub fn value_of<T: Copy>(words: &[(&'static str, T)], word: &str) -> Option<T> {
    words.iter().find(|(w, _)| *w == word).map(|&(_, value)| value)
}

/// Declares an enum whose values are words, the same in the description language, in JSON and in messages.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, serde::Serialize, serde::Deserialize,
            schemars::JsonSchema,
        )]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant,)+ }

        impl $name {
            /// Every value with the word for it.
            pub const WORDS: &'static [(&'static str, Self)] = &[$(($word, Self::$variant),)+];
            /// The word for it.
            #[must_use]
            pub fn word(self) -> &'static str {
                crate::facts::word_of(Self::WORDS, self)
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}
pub(crate) use words;
