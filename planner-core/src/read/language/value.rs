//! The values of a clause: which of them stand there, and each by its [`Shape`].

use std::ops::Range;

use nom::Parser as _;
use nom::character::complete::char;
use nom::combinator::{all_consuming, map_res, opt};
use nom::sequence::terminated;

use super::codes;
use super::complain::usage;
use super::grammar::{Arg, Clause, LISTED, Presence, Shape};
use super::suggest::{any_of, nearest, shown};
use super::token::{Kind, Token, unescape};
use super::tree::{Given, Node, Parser, Reported};
use crate::diag::Code;
use crate::ids::{PciAddress, PciClass, PciId, RequesterId};
use crate::size::PageSize;
use crate::version::Version;

/// A value that was understood.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// A name.
    Name(String),
    /// An address, a size, a number, a number of bits.
    Number(u64),
    /// First and last of a span or range.
    Span(u64, u64),
    /// A span as CPUs see it, and its first bus address.
    Window(u64, u64, u64),
    /// A PCI address, with the segment if it was written.
    Pci(Option<u16>, RequesterId),
    /// Vendor and device ID.
    PciId(PciId),
    /// A class.
    PciClass(PciClass),
    /// A version.
    Version(Version),
    /// A page size.
    PageSize(PageSize),
    /// One of the words of its shape.
    Word(&'static str),
    /// A flag that is there.
    Flag,
    /// A listed region: its kind and its ends; `None` for `none`.
    Listed(Option<(&'static str, u64, u64)>),
}

/// What was expected; a text only when a message needs it.
#[derive(Clone, Copy)]
pub(super) enum What<'w> {
    Shape(Shape),
    Word(&'w str),
    Text(&'static str),
}

impl std::fmt::Display for What<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Shape(shape) => f.write_str(&shape.expected()),
            Self::Word(word) => write!(f, "`{word}`"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl Arg {
    /// The words that say which value it is, or that it can be.
    pub(super) fn words(&self) -> &'static [&'static str] {
        match self.shape {
            _ if !self.prefix.is_empty() => self.prefix,
            Shape::Word(words) if self.presence == Presence::May => words,
            _ => &[],
        }
    }
    /// Whether the value may stand anywhere among the others, because its first word tells what it is.
    fn floats(&self) -> bool {
        self.presence == Presence::May && (!self.prefix.is_empty() || matches!(self.shape, Shape::Word(_)))
    }
}

impl Parser<'_, '_> {
    /// The values of a clause whose keyword was taken.
    pub(super) fn values(&mut self, node: &mut Node) -> Result<(), Reported> {
        let clause = node.clause;
        let mut in_order = clause.args.iter().filter(|arg| !arg.floats());
        loop {
            let next = in_order.next();
            if !next.is_some_and(|arg| matches!(arg.shape, Shape::Name)) {
                while let Some(arg) = self.floating(node) {
                    self.given(arg, node)?;
                }
            }
            let Some(arg) = next else { return Ok(()) };
            if arg.presence != Presence::May || self.starts(arg) {
                self.given(arg, node)?;
            }
            while arg.presence == Presence::Many && self.starts(arg) {
                self.given(arg, node)?;
            }
        }
    }

    /// The value that may stand anywhere and starts at the next token, if it was not yet given.
    fn floating(&self, node: &Node) -> Option<&'static Arg> {
        let given = |arg: &Arg| node.values.iter().any(|given| std::ptr::eq(given.arg, arg));
        node.clause.args.iter().find(|arg| arg.floats() && self.starts(arg) && !given(arg))
    }

    /// Whether the next token of this line can begin this value.
    fn starts(&self, arg: &Arg) -> bool {
        let Some(token) = self.here() else { return false };
        let word = self.lexeme(token);
        let digit = word.starts_with(|c: char| c.is_ascii_digit());
        match (arg.prefix.first(), arg.shape) {
            (Some(first), _) => token.kind != Kind::Text && word == *first,
            (None, Shape::Name) => token.kind == Kind::Text || token.kind == Kind::Word && !digit,
            (None, Shape::Word(words)) => words.contains(&word),
            (None, Shape::Listed) => word == "none" || LISTED.contains(&word),
            (None, Shape::Pci) => token.kind == Kind::Word && (digit || word.contains(':')),
            (None, _) => token.kind == Kind::Word && digit,
        }
    }

    /// Reads a value with the words in front of it.
    fn given(&mut self, arg: &'static Arg, node: &mut Node) -> Result<(), Reported> {
        let start = self.peek().start;
        for word in arg.prefix {
            if self.take_word(word).is_none() {
                return Err(self.expected(What::Word(word), node.clause));
            }
        }
        let value = self.value(arg.shape, node.clause)?;
        node.values.push(Given { arg, value, at: start..self.last_end() });
        Ok(())
    }

    fn value(&mut self, shape: Shape, clause: &Clause) -> Result<Value, Reported> {
        let what = What::Shape(shape);
        match shape {
            Shape::Name => self.name(clause),
            Shape::Address | Shape::Size => {
                self.number(what, clause).map(|(number, _)| Value::Number(number))
            }
            Shape::Span => self.span(what, clause).map(|(first, last)| Value::Span(first, last)),
            Shape::Window => self.window(clause),
            Shape::Aperture => self.aperture(clause),
            Shape::Bits(least, most) => {
                let (number, token) = self.number(what, clause)?;
                self.bits((number, token), (least, most), clause).map(Value::Number)
            }
            Shape::Number(most) => self.plain(most, what, clause).map(|(number, _)| Value::Number(number)),
            Shape::Range(most) => self.range(most, clause),
            Shape::Pci => self.pci(clause),
            Shape::PciId => self.parsed(what, clause, |text| text.parse().ok().map(Value::PciId)),
            Shape::PciClass => self.parsed(what, clause, |text| text.parse().ok().map(Value::PciClass)),
            Shape::Version => self.parsed(what, clause, |text| text.parse().ok().map(Value::Version)),
            Shape::PageSize => self.page_size(clause),
            Shape::Word(words) => self.word(words, clause).map(Value::Word),
            Shape::Flag => Ok(Value::Flag),
            Shape::Listed => self.listed(clause),
        }
    }

    pub(super) fn fault(
        &mut self,
        code: &'static Code,
        at: Range<usize>,
        message: String,
        help: String,
    ) -> Reported {
        let fault = self.sink.at(code, at, message);
        self.sink.push(fault.help(help));
        Reported
    }

    pub(super) fn fault_at(
        &mut self,
        code: &'static Code,
        token: Token,
        why: &str,
        clause: &Clause,
    ) -> Reported {
        let message = format!("{} {why}", shown(self.lexeme(token)));
        self.fault(code, token.start..token.end, message, usage(clause))
    }

    /// The next token of this line if it is a word that nobody complained about; it is taken.
    pub(super) fn next_word(&mut self, what: What<'_>, clause: &Clause) -> Result<Token, Reported> {
        match self.here() {
            Some(token) if token.kind == Kind::Word && !token.spoilt && !self.begins_sibling(token) => {
                Ok(self.bump())
            }
            _ => Err(self.expected(what, clause)),
        }
    }

    fn name(&mut self, clause: &Clause) -> Result<Value, Reported> {
        let what = What::Shape(Shape::Name);
        match self.here() {
            Some(token) if token.kind == Kind::Word && !token.spoilt => {
                self.bump();
                Ok(Value::Name(self.lexeme(token).to_owned()))
            }
            Some(token) if token.kind == Kind::Text && !token.spoilt => {
                self.bump();
                unescape(self.lexeme(token), token.start, None).map(Value::Name).ok_or(Reported)
            }
            _ => Err(self.expected(what, clause)),
        }
    }

    fn parsed(
        &mut self,
        what: What<'_>,
        clause: &Clause,
        parse: impl Fn(&str) -> Option<Value>,
    ) -> Result<Value, Reported> {
        let token = self.next_word(what, clause)?;
        match parse(self.lexeme(token)) {
            Some(value) => Ok(value),
            None => Err(self.fault_at(&codes::VALUE, token, &format!("is not {what}"), clause)),
        }
    }

    fn pci(&mut self, clause: &Clause) -> Result<Value, Reported> {
        let what = What::Shape(Shape::Pci);
        let token = self.next_word(what, clause)?;
        let Some([segment, bus, device, function]) = pci_numbers(self.lexeme(token)) else {
            return Err(self.fault_at(&codes::VALUE, token, &format!("is not {what}"), clause));
        };
        for (part, number, most) in [
            ("segment", segment, 0xffff),
            ("bus", bus, 0xff),
            ("device", device, 0x1f),
            ("function", function, 7),
        ] {
            if let Some(number) = number.filter(|&number| number > most) {
                let why = format!("has {part} {number:#x}: at most {most:#x}");
                return Err(self.fault_at(&codes::TOO_LARGE, token, &why, clause));
            }
        }
        let segment = segment.and_then(|segment| u16::try_from(segment).ok());
        let byte = |number: Option<u32>| number.and_then(|number| u8::try_from(number).ok());
        let address = byte(bus)
            .zip(byte(device))
            .zip(byte(function))
            .and_then(|((bus, device), function)| PciAddress::new(0, bus, device, function));
        address.map(|address| Value::Pci(segment, address.requester_id())).ok_or(Reported)
    }

    fn word(&mut self, words: &'static [&'static str], clause: &Clause) -> Result<&'static str, Reported> {
        let token = match self.here() {
            Some(token) if token.kind == Kind::Word && !token.spoilt => token,
            _ => return Err(self.expected(What::Shape(Shape::Word(words)), clause)),
        };
        let text = self.lexeme(token);
        if let Some(word) = words.iter().find(|word| **word == text) {
            self.bump();
            return Ok(word);
        }
        if self.begins_sibling(token) || text.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(self.expected(What::Shape(Shape::Word(words)), clause));
        }
        self.bump();
        let message = format!("`{}` does not know {}", clause.keyword, shown(text));
        let help = match nearest(text, words.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it knows {}", any_of(words.iter().copied())),
        };
        Err(self.fault(&codes::WORD, token.start..token.end, message, help))
    }

    fn listed(&mut self, clause: &Clause) -> Result<Value, Reported> {
        if self.take_word("none").is_some() {
            return Ok(Value::Listed(None));
        }
        let kind = self.word(LISTED, clause)?;
        let (first, last, _) =
            self.ends(What::Text("a range of IOVAs such as `0x800_0000..=0x80f_ffff`"), clause)?;
        Ok(Value::Listed(Some((kind, first, last))))
    }
}

/// Segment (if written), bus, device and function of a PCI address, however large.
fn pci_numbers(text: &str) -> Option<[Option<u32>; 4]> {
    let hex = || {
        map_res(nom::character::complete::hex_digit1::<&str, ()>, |digits| u32::from_str_radix(digits, 16))
    };
    let parts = (hex(), char(':'), opt(terminated(hex(), char(':'))), hex(), char('.'), hex());
    let (_, (first, _, second, device, _, function)) = all_consuming(parts).parse(text).ok()?;
    let (segment, bus) = match second {
        Some(bus) => (Some(first), bus),
        None => (None, first),
    };
    Some([segment, Some(bus), Some(device), Some(function)])
}
