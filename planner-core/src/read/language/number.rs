//! Numbers: addresses, sizes, counts, widths, and the spans and ranges that are made of them.

use std::ops::Range;

use super::codes;
use super::grammar::{Clause, Shape};
use super::suggest::shown;
use super::token::{Kind, Token};
use super::tree::{Parser, Reported};
use super::value::{Value, What};
use crate::addr::grouped_hex;
use crate::size::{NumberError, PageSize, Size, parse_number};

impl Parser<'_, '_> {
    /// A number with or without a unit.
    pub(super) fn number(&mut self, what: What<'_>, clause: &Clause) -> Result<(u64, Token), Reported> {
        let token = self.next_word(what, clause)?;
        match parse_number(self.lexeme(token)) {
            Ok(number) => Ok((number, token)),
            Err(NumberError::TooLarge) => {
                Err(self.fault_at(&codes::TOO_LARGE, token, "does not fit 64 bits", clause))
            }
            Err(NumberError::NotANumber) if is_bare_hex(self.lexeme(token)) => {
                let message = format!("{} is not {what}", shown(self.lexeme(token)));
                let help = format!("hexadecimal begins with `0x`: `0x{}`", self.lexeme(token));
                Err(self.fault(&codes::VALUE, token.start..token.end, message, help))
            }
            Err(NumberError::NotANumber) => {
                Err(self.fault_at(&codes::VALUE, token, &format!("is not {what}"), clause))
            }
        }
    }

    /// A number without a unit, of at most `most`.
    pub(super) fn plain(
        &mut self,
        most: u64,
        what: What<'_>,
        clause: &Clause,
    ) -> Result<(u64, Token), Reported> {
        let (number, token) = self.number(what, clause)?;
        let text = self.lexeme(token);
        if !text.starts_with("0x") && !text.starts_with("0X") && text.ends_with(|c: char| !c.is_ascii_digit())
        {
            return Err(self.fault_at(
                &codes::VALUE,
                token,
                "has a unit where a plain number belongs",
                clause,
            ));
        }
        if number > most {
            let why = format!("is too large: at most {}", like(text, most));
            return Err(self.fault_at(&codes::TOO_LARGE, token, &why, clause));
        }
        Ok((number, token))
    }

    pub(super) fn bits(
        &mut self,
        (number, token): (u64, Token),
        (least, most): (u8, u8),
        clause: &Clause,
    ) -> Result<u64, Reported> {
        if self.take_word("bits").is_none() {
            return Err(self.expected(What::Word("bits"), clause));
        }
        if (u64::from(least)..=u64::from(most)).contains(&number) {
            return Ok(number);
        }
        let message = format!("{number} bits are out of range");
        let help = format!("`{}` takes {least} to {most} bits", clause.keyword);
        Err(self.fault(&codes::TOO_LARGE, token.start..token.end, message, help))
    }

    /// An address; warns about one that was perhaps meant to be hexadecimal.
    pub(super) fn address(&mut self, what: What<'_>, clause: &Clause) -> Result<(u64, Token), Reported> {
        let (number, token) = self.number(what, clause)?;
        let text = self.lexeme(token);
        if text.len() > 4 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            let message = format!("the address {} is decimal", shown(text));
            let help = format!("write `0x{text}` if it is not, `{}` if it is", grouped_hex(number));
            self.fault(&codes::DECIMAL, token.start..token.end, message, help);
        }
        Ok((number, token))
    }

    /// `A + SIZE` or `A..=B`, the ends not yet compared; with the place.
    pub(super) fn ends(
        &mut self,
        what: What<'_>,
        clause: &Clause,
    ) -> Result<(u64, u64, Range<usize>), Reported> {
        let (first, token) = self.address(what, clause)?;
        self.ends_after(first, token, clause)
    }

    pub(super) fn ends_after(
        &mut self,
        first: u64,
        token: Token,
        clause: &Clause,
    ) -> Result<(u64, u64, Range<usize>), Reported> {
        if self.take(Kind::Plus).is_some() {
            let (size, at) = self.number(What::Text("a size such as `16G` behind `+`"), clause)?;
            let last = self.last_of(first, size, token.start..at.end)?;
            return Ok((first, last, token.start..at.end));
        }
        if let Some(through) = self.take(Kind::Through) {
            let (last, at) = self.address(What::Text("a last address behind `..=`"), clause)?;
            return if through.spoilt { Err(Reported) } else { Ok((first, last, token.start..at.end)) };
        }
        Err(self.expected(What::Text("`+ SIZE` or `..=LAST` behind the address"), clause))
    }

    /// The last address of `size` bytes from `first`.
    pub(super) fn last_of(&mut self, first: u64, size: u64, at: Range<usize>) -> Result<u64, Reported> {
        let Some(more) = size.checked_sub(1) else {
            let message = "the size of the span is 0".to_owned();
            return Err(self.fault(&codes::EXTENT, at, message, "a span has at least one byte".into()));
        };
        first.checked_add(more).ok_or_else(|| {
            let (start, size) = (grouped_hex(first), Size::from_bytes(size));
            let message = format!("{size} from {start} end above 0xffff_ffff_ffff_ffff");
            self.fault(&codes::EXTENT, at, message, "addresses have 64 bits".into())
        })
    }

    pub(super) fn span(&mut self, what: What<'_>, clause: &Clause) -> Result<(u64, u64), Reported> {
        let (first, last, at) = self.ends(what, clause)?;
        self.ordered(first, last, at)
    }

    pub(super) fn ordered(
        &mut self,
        first: u64,
        last: u64,
        at: Range<usize>,
    ) -> Result<(u64, u64), Reported> {
        if first <= last {
            return Ok((first, last));
        }
        let message =
            format!("the last address {} lies below the first, {}", grouped_hex(last), grouped_hex(first));
        let help = format!("where a size was meant, write `{} + SIZE`", grouped_hex(first));
        Err(self.fault(&codes::INVERTED, at, message, help))
    }

    pub(super) fn window(&mut self, clause: &Clause) -> Result<Value, Reported> {
        let Some(start) = self.take_word("cpu") else {
            let (first, last) = self.span(What::Shape(Shape::Window), clause)?;
            return Ok(Value::Window(first, last, first));
        };
        let (cpu, _) = self.address(What::Text("a CPU address behind `cpu`"), clause)?;
        let bus = self.number_after("bus", What::Text("a bus address behind `bus`"), clause)?;
        let size = self.number_after("size", What::Text("a size such as `1G` behind `size`"), clause)?;
        let last = self.last_of(cpu, size, start.start..self.last_end())?;
        Ok(Value::Window(cpu, last, bus))
    }

    pub(super) fn number_after(
        &mut self,
        word: &str,
        what: What<'_>,
        clause: &Clause,
    ) -> Result<u64, Reported> {
        if self.take_word(word).is_none() {
            return Err(self.expected(What::Word(word), clause));
        }
        self.number(what, clause).map(|(number, _)| number)
    }

    pub(super) fn aperture(&mut self, clause: &Clause) -> Result<Value, Reported> {
        let (first, token) = self.number(What::Shape(Shape::Aperture), clause)?;
        if self.here().is_some_and(|token| matches!(token.kind, Kind::Plus | Kind::Through)) {
            let (first, last, at) = self.ends_after(first, token, clause)?;
            return self.ordered(first, last, at).map(|(first, last)| Value::Span(first, last));
        }
        let bits = self.bits((first, token), (12, 64), clause)?;
        let unused = u32::try_from(64_u64.saturating_sub(bits)).unwrap_or(0);
        Ok(Value::Span(0, u64::MAX.checked_shr(unused).unwrap_or(u64::MAX)))
    }

    pub(super) fn range(&mut self, most: u64, clause: &Clause) -> Result<Value, Reported> {
        let (first, start) = self.plain(most, What::Shape(Shape::Range(most)), clause)?;
        let Some(through) = self.take(Kind::Through) else { return Ok(Value::Span(first, first)) };
        let (last, end) = self.plain(most, What::Text("a last number behind `..=`"), clause)?;
        if through.spoilt {
            return Err(Reported);
        }
        if first <= last {
            return Ok(Value::Span(first, last));
        }
        let text = self.lexeme(end);
        let message = format!("the range ends at {text}, below its start {}", self.lexeme(start));
        let help = format!("write `{text}..={}`", self.lexeme(start));
        Err(self.fault(&codes::INVERTED, start.start..end.end, message, help))
    }

    pub(super) fn page_size(&mut self, clause: &Clause) -> Result<Value, Reported> {
        let (bytes, token) = self.number(What::Shape(Shape::PageSize), clause)?;
        match PageSize::from_bytes(bytes) {
            Some(page) => Ok(Value::PageSize(page)),
            None => {
                let why = "is no page size: a power of two of at least 512 bytes";
                Err(self.fault_at(&codes::VALUE, token, why, clause))
            }
        }
    }
}

/// Whether these are hexadecimal digits alone, as `/proc/iomem` prints addresses.
fn is_bare_hex(word: &str) -> bool {
    word.len() > 3 && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A number in the base of the number that it stands beside.
fn like(text: &str, number: u64) -> String {
    if text.starts_with("0x") { format!("{number:#x}") } else { number.to_string() }
}
