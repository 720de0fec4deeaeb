//! Texts of sysfs and procfs: lines with numbers, and attributes that hold one number.

use std::str::FromStr;

use nom::bytes::complete::take_while1;
use nom::character::complete::char;
use nom::combinator::{map_res, opt};
use nom::sequence::preceded;
use nom::{IResult, Parser};

use super::codes;
use super::log::{Log, quoted};
use super::tree::Tree;
use crate::diag::{Diagnostic, Origin};

/// The text of a file, what is no UTF-8 replaced.
pub(super) fn text(tree: &Tree, path: &str) -> Option<String> {
    tree.file(path).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
}

/// The first line of a file without the space around it.
pub(super) fn first_line(tree: &Tree, path: &str) -> Option<String> {
    Some(text(tree, path)?.lines().next().unwrap_or("").trim().to_owned())
}

/// The lines of a text with their numbers from 1; empty lines are left out, and so is a carriage return at the end.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..)
        .zip(text.split('\n').map(|line| line.trim_end_matches('\r')))
        .filter(|(_, line)| !line.trim().is_empty())
}

/// Parses a hexadecimal number of at most 64 bits, with or without `0x`.
pub(super) fn hex_u64(input: &str) -> IResult<&str, u64> {
    let prefix = opt((char('0'), char('x')));
    let digits = take_while1(|c: char| c.is_ascii_hexdigit());
    map_res(preceded(prefix, digits), |digits: &str| u64::from_str_radix(digits, 16)).parse(input)
}

/// The hexadecimal number, with or without `0x`, that is the whole first line of a file. A file that holds something
/// else, or a number that does not fit `T`, is reported.
pub(super) fn hex_attribute<T: TryFrom<u64>>(tree: &Tree, path: &str, log: &mut Log) -> Option<T> {
    let read = |line: &str| match hex_u64(line) {
        Ok(("", value)) => value.try_into().ok(),
        _ => None,
    };
    attribute(tree, path, read, log)
}

/// The decimal number that is the whole first line of a file. A file that holds something else is reported.
pub(super) fn decimal_attribute<T: FromStr>(tree: &Tree, path: &str, log: &mut Log) -> Option<T> {
    attribute(tree, path, |line| line.parse().ok(), log)
}

fn attribute<T>(tree: &Tree, path: &str, read: impl Fn(&str) -> Option<T>, log: &mut Log) -> Option<T> {
    let line = first_line(tree, path)?;
    let value = read(&line);
    if value.is_none() {
        log.push(bad_attribute(path, &line, "one number that fits"));
    }
    value
}

/// A file that does not hold what it should.
pub(super) fn bad_attribute(path: &str, line: &str, expected: &str) -> Diagnostic {
    let message = format!("the file holds {} and not {expected}", quoted(line));
    Diagnostic::new(&codes::BAD_ATTRIBUTE, Origin::file(path), message)
}
