//! The grammar as data: which clauses a block may hold, and which values a clause takes.
//!
//! The parser, the suggestions, the formatter and the reference in `docs/language.md` all read these tables; no other
//! place knows a keyword, except the decoder, which gives it its meaning.

mod guest;
mod host;
mod root_complex;

pub(super) use host::LISTED;

use super::suggest::any_of;

/// Form of a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    /// A name, bare or in quotes.
    Name,
    /// An address, any 64-bit number.
    Address,
    /// A number of bytes.
    Size,
    /// `FIRST + SIZE` or `FIRST..=LAST`.
    Span,
    /// A span, or `cpu ADDR bus ADDR size SIZE`.
    Window,
    /// `N bits` or a span.
    Aperture,
    /// `N bits` with N between these two.
    Bits(u8, u8),
    /// A number of at most this.
    Number(u64),
    /// `FIRST..=LAST` with numbers of at most this, or one of them.
    Range(u64),
    /// `segment:bus:device.function`, the segment left out or not.
    Pci,
    /// `vendor:device`.
    PciId,
    /// A class code of four or six digits.
    PciClass,
    /// `major.minor` or `major.minor.patch`.
    Version,
    /// A power of two.
    PageSize,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Nothing: its first word alone says it.
    Flag,
    /// `none`, or a kind of region and `FIRST..=LAST`.
    Listed,
}

/// Whether a value has to be there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Presence {
    /// It must.
    Must,
    /// It may.
    May,
    /// One must, more may follow.
    Many,
}

/// A value of a clause.
#[derive(Debug)]
pub(super) struct Arg {
    /// Its name in the usage line, and the name by which the decoder asks for it.
    pub(super) slot: &'static str,
    /// Words before it.
    pub(super) prefix: &'static [&'static str],
    /// Its form.
    pub(super) shape: Shape,
    /// Whether it has to be there.
    pub(super) presence: Presence,
}

/// How often a clause may stand in its block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Count {
    /// Exactly once.
    Required,
    /// At most once.
    Once,
    /// As often as one likes.
    Many,
}

/// What follows the values of a clause.
#[derive(Clone, Copy, Debug)]
pub(super) enum Body {
    /// Nothing.
    None,
    /// A block, or nothing.
    May(&'static Block),
    /// A block.
    Must(&'static Block),
}

impl Body {
    /// The block, if there can be one.
    pub(super) fn block(self) -> Option<&'static Block> {
        match self {
            Self::None => None,
            Self::May(block) | Self::Must(block) => Some(block),
        }
    }
}

/// A clause.
#[derive(Debug)]
pub(super) struct Clause {
    /// The word that begins it.
    pub(super) keyword: &'static str,
    /// Another word for it.
    pub(super) synonym: Option<&'static str>,
    /// Its values. Those that may be left out and begin with a word of their own may stand in any order.
    pub(super) args: &'static [Arg],
    /// What follows them.
    pub(super) body: Body,
    /// How often it may stand in its block.
    pub(super) count: Count,
    /// What it says, in a sentence or two.
    pub(super) doc: &'static str,
    /// What holds when it is absent; empty when it must be there, or when nothing follows from its absence.
    pub(super) absent: &'static str,
    /// One line that uses it.
    pub(super) example: &'static str,
}

/// The clause from which the rows of the tables differ.
const CLAUSE: Clause = Clause {
    keyword: "",
    synonym: None,
    args: &[],
    body: Body::None,
    count: Count::Once,
    doc: "",
    absent: "",
    example: "",
};

/// What may stand between two braces, or in a whole text.
#[derive(Debug)]
pub(super) struct Block {
    /// The keyword in front of its brace; for the whole text, `description`.
    pub(super) name: &'static str,
    /// What may stand in it.
    pub(super) clauses: &'static [Clause],
}

impl Block {
    /// The clause that this word begins.
    pub(super) fn find(&self, word: &str) -> Option<&'static Clause> {
        self.clauses.iter().find(|clause| clause.keyword == word || clause.synonym == Some(word))
    }
    /// A bit that stands for this clause among those of the block, of which there are fewer than 32.
    pub(super) fn bit(&self, clause: &Clause) -> u32 {
        let index = self.clauses.iter().position(|other| std::ptr::eq(other, clause));
        index.and_then(|index| 1_u32.checked_shl(u32::try_from(index).ok()?)).unwrap_or(0)
    }
    /// Every word that begins a clause.
    pub(super) fn words(&self) -> impl Iterator<Item = &'static str> {
        self.clauses.iter().flat_map(|clause| [Some(clause.keyword), clause.synonym]).flatten()
    }
}

/// In messages.
impl std::fmt::Display for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if std::ptr::eq(self, &raw const TEXT) {
            f.write_str("a description")
        } else {
            write!(f, "`{}`", self.name)
        }
    }
}

/// A whole text.
pub(super) static TEXT: Block = Block {
    name: "description",
    clauses: &[
        Clause {
            keyword: "host",
            args: &[must("NAME", Shape::Name)],
            body: Body::Must(&host::HOST),
            count: Count::Many,
            doc: "A machine whose devices are passed through.",
            example: "host \"amd-seattle\" { kernel linux 6.12 }",
            ..CLAUSE
        },
        Clause {
            keyword: "guest",
            args: &[must("NAME", Shape::Name)],
            body: Body::Must(&guest::GUEST),
            count: Count::Many,
            doc: "What a virtual machine needs.",
            example: "guest nfv0 { memory 16G }",
            ..CLAUSE
        },
    ],
};

const fn must(slot: &'static str, shape: Shape) -> Arg {
    Arg { slot, prefix: &[], shape, presence: Presence::Must }
}
const fn may(slot: &'static str, shape: Shape) -> Arg {
    Arg { slot, prefix: &[], shape, presence: Presence::May }
}
const fn many(slot: &'static str, shape: Shape) -> Arg {
    Arg { slot, prefix: &[], shape, presence: Presence::Many }
}
/// A value with words before it.
const fn after(prefix: &'static [&'static str], slot: &'static str, shape: Shape) -> Arg {
    Arg { slot, prefix, shape, presence: Presence::Must }
}
/// A value that may be left out and has words before it.
const fn option(prefix: &'static [&'static str], slot: &'static str, shape: Shape) -> Arg {
    Arg { slot, prefix, shape, presence: Presence::May }
}
/// A word that may be left out.
const fn flag(prefix: &'static [&'static str], slot: &'static str) -> Arg {
    Arg { slot, prefix, shape: Shape::Flag, presence: Presence::May }
}

/// The words of a table of words, for a row of the grammar.
const fn words_of<T: Copy, const N: usize>(table: &[(&'static str, T)]) -> [&'static str; N] {
    let mut words = [""; N];
    let mut at = 0;
    while at < N {
        words[at] = table[at].0;
        at += 1;
    }
    words
}

const U16: u64 = 0xffff;
const U32: u64 = 0xffff_ffff;

const YES_NO: &[&str] = &["yes", "no"];
const ARCHES: &[&str] = &words_of::<_, { crate::facts::Arch::WORDS.len() }>(&crate::facts::Arch::WORDS);

impl Shape {
    /// What a message says was expected.
    pub(super) fn expected(self) -> String {
        match self {
            Self::Name => "a name".into(),
            Self::Address => "an address such as `0x4000_0000`".into(),
            Self::Size => "a size such as `16G`".into(),
            Self::Span => "a span such as `0x4000_0000 + 1G` or `0x0..=0xfff`".into(),
            Self::Window => "a span such as `0x4000_0000 + 1G`, or `cpu ADDR bus ADDR size SIZE`".into(),
            Self::Aperture => "a width such as `40 bits`, or a span such as `0x0..=0xff_ffff_ffff`".into(),
            Self::Bits(least, most) => format!("a width between `{least} bits` and `{most} bits`"),
            Self::Number(most) => format!("a number from 0 to {most}"),
            Self::Range(most) => format!("a range such as `0..=7`, or one number, up to {most:#x}"),
            Self::Pci => "a PCI address such as `0000:03:00.0` or `03:00.0`".into(),
            Self::PciId => "a vendor and device ID such as `8086:1520`".into(),
            Self::PciClass => "a PCI class such as `0200` or `010802`".into(),
            Self::Version => "a version such as `6.12` or `6.1.192`".into(),
            Self::PageSize => "a page size such as `4K` or `2M`".into(),
            Self::Word(words) => any_of(words.iter().copied()),
            Self::Flag => String::new(),
            Self::Listed => {
                format!("`none`, or {} and a range of IOVAs", any_of(host::LISTED.iter().copied()))
            }
        }
    }
}

/// `ram SPAN [node N]`
impl std::fmt::Display for Clause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.keyword)?;
        for arg in self.args {
            write!(f, " {arg}")?;
        }
        match self.body {
            Body::None => Ok(()),
            Body::May(_) => f.write_str(" [{ … }]"),
            Body::Must(_) => f.write_str(" { … }"),
        }
    }
}

/// `[node N]`
impl std::fmt::Display for Arg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let value = match self.shape {
            Shape::Span => "SPAN".into(),
            Shape::Window => "(SPAN | cpu ADDR bus ADDR size SIZE)".into(),
            Shape::Aperture => "(N bits | SPAN)".into(),
            Shape::Bits(..) => format!("{} bits", self.slot),
            Shape::Range(_) => format!("{}[..=LAST]", self.slot),
            Shape::Word(words) => words.join("|"),
            Shape::Flag => String::new(),
            Shape::Listed => format!("(none | {} FIRST..=LAST)", host::LISTED.join("|")),
            _ => self.slot.into(),
        };
        let text = [self.prefix.join(" "), value].join(" ");
        let text = text.trim();
        match self.presence {
            Presence::Must => f.write_str(text),
            Presence::May => write!(f, "[{text}]"),
            Presence::Many => write!(f, "{text} …"),
        }
    }
}
