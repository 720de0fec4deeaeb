//! The tree of a text to facts: what each clause means. Every fact gets the words that said it as its origin.

mod guest;
mod host;

use std::ops::Range;

pub(super) use guest::guest;
pub(super) use host::host;

use super::tree::{Given, Node};
use super::value::Value;
use crate::addr::{Address, Span};
use crate::diag::{Origin, TextFile};
use crate::facts::value_of;
use crate::ids::PciAddress;
use crate::size::{PageSize, Size};

/// Where facts come from.
pub(super) struct Place {
    /// The text.
    pub(super) file: TextFile,
}

impl Place {
    /// The words of a clause without its block.
    fn of(&self, node: &Node) -> Origin {
        self.at(&node.header)
    }
    fn at(&self, at: &Range<usize>) -> Origin {
        self.file.origin(at.clone())
    }
}

impl Node {
    /// The clauses in the block of this one.
    fn inner(&self) -> &[Self] {
        self.body.as_ref().map_or(&[], |braces| &braces.nodes)
    }
    /// The first clause of this keyword in its block.
    fn find(&self, keyword: &str) -> Option<&Self> {
        self.inner().iter().find(|inner| inner.keyword() == keyword)
    }
    /// Every clause of this keyword in its block.
    fn each(&self, keyword: &str) -> impl Iterator<Item = &Self> {
        self.inner().iter().filter(move |inner| inner.keyword() == keyword)
    }
    fn keyword(&self) -> &'static str {
        self.clause.keyword
    }
    fn all(&self, slot: &str) -> impl Iterator<Item = &Given> {
        self.values.iter().filter(move |given| given.arg.slot == slot)
    }
    fn value(&self, slot: &str) -> Option<&Value> {
        self.all(slot).next().map(|given| &given.value)
    }
    fn name(&self, slot: &str) -> Option<String> {
        match self.value(slot)? {
            Value::Name(name) => Some(name.clone()),
            _ => None,
        }
    }
    fn u64(&self, slot: &str) -> Option<u64> {
        match self.value(slot)? {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }
    /// A number that the grammar bounds so that it fits.
    fn number<T: TryFrom<u64>>(&self, slot: &str) -> Option<T> {
        self.u64(slot).and_then(|number| T::try_from(number).ok())
    }
    fn size(&self, slot: &str) -> Option<Size> {
        self.u64(slot).map(Size::from_bytes)
    }
    fn span<A: Address>(&self, slot: &str) -> Option<Span<A>> {
        self.value(slot).and_then(Value::span)
    }
    /// The ends of a range that the grammar bounds so that they fit.
    fn range<T: TryFrom<u64>>(&self, slot: &str) -> Option<(T, T)> {
        match *self.value(slot)? {
            Value::Span(first, last) => T::try_from(first).ok().zip(T::try_from(last).ok()),
            _ => None,
        }
    }
    fn text(&self, slot: &str) -> Option<&'static str> {
        match self.value(slot)? {
            Value::Word(word) => Some(word),
            _ => None,
        }
    }
    fn word<T: Copy>(&self, slot: &str, words: &[(&'static str, T)]) -> Option<T> {
        value_of(words, self.text(slot)?)
    }
    fn yes(&self, slot: &str) -> Option<bool> {
        self.text(slot).map(|word| word == "yes")
    }
    fn page(&self, slot: &str) -> Option<PageSize> {
        match self.value(slot)? {
            Value::PageSize(page) => Some(*page),
            _ => None,
        }
    }
    fn pages(&self, slot: &str) -> impl Iterator<Item = PageSize> {
        self.all(slot).filter_map(|given| match given.value {
            Value::PageSize(page) => Some(page),
            _ => None,
        })
    }
    fn has(&self, slot: &str) -> bool {
        self.value(slot).is_some()
    }
}

impl Value {
    fn span<A: Address>(&self) -> Option<Span<A>> {
        match *self {
            Self::Span(first, last) => Span::of(first, last),
            _ => None,
        }
    }
    /// A PCI address; without a segment, in this one.
    fn pci(&self, segment: u16) -> Option<PciAddress> {
        match *self {
            Self::Pci(written, requester) => {
                Some(PciAddress::from_requester(written.unwrap_or(segment), requester))
            }
            _ => None,
        }
    }
}
