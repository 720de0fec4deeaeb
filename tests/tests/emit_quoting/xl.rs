//! A reader of `xl.cfg`, by the tokens and the grammar of Xen (tools/libs/util/libxlu_cfg_l.l, libxlu_cfg_y.y) as far as
//! the planner writes them: assignments of strings, numbers and lists, comments. What those files take and the planner
//! never writes (`+=`, `;`, escapes but of quotes and backslashes) is refused.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

/// A value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Value {
    /// A string without its quotes, or a number as it is written.
    Text(String),
    /// A list of them.
    List(Vec<String>),
}

/// The assignments of a file.
pub(super) fn read(text: &str) -> Result<BTreeMap<String, Value>, String> {
    let mut chars = text.chars().peekable();
    let mut values = BTreeMap::new();
    loop {
        blanks(&mut chars);
        match chars.peek() {
            None => return Ok(values),
            Some('\n') => drop(chars.next()),
            // `#.*\n`: without its newline a comment is a lexical error.
            Some('#') => chars.by_ref().find(|&c| c == '\n').map(drop).ok_or("a comment without end")?,
            Some('a'..='z') => {
                let name =
                    word(&mut chars, |c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._".contains(c));
                expect(&mut chars, '=')?;
                let value = value(&mut chars)?;
                expect(&mut chars, '\n')?;
                if values.insert(name.clone(), value).is_some() {
                    return Err(format!("{name} twice"));
                }
            }
            Some(other) => return Err(format!("{other:?} at the start of a line")),
        }
    }
}

fn value(chars: &mut Peekable<Chars>) -> Result<Value, String> {
    blanks(chars);
    if chars.next_if_eq(&'[').is_none() {
        return atom(chars).map(Value::Text);
    }
    let mut list = Vec::new();
    loop {
        list.push(atom(chars)?);
        blanks(chars);
        match chars.next() {
            Some(',') => {}
            Some(']') => return Ok(Value::List(list)),
            other => return Err(format!("{other:?} in a list")),
        }
    }
}

fn atom(chars: &mut Peekable<Chars>) -> Result<String, String> {
    blanks(chars);
    match chars.peek() {
        Some('0'..='9') => Ok(word(chars, |c| c.is_ascii_digit() || "abcdefx".contains(c))),
        Some('"') => string(chars),
        other => Err(format!("{other:?} for a value")),
    }
}

/// `\"([^\"\\\n]|\\.)*\"`, then xlu__cfgl_dequote.
fn string(chars: &mut Peekable<Chars>) -> Result<String, String> {
    let mut text = String::new();
    chars.next();
    loop {
        match chars.next() {
            Some('"') => return Ok(text),
            Some('\\') => match chars.next() {
                Some(c @ ('"' | '\'' | '\\')) => text.push(c),
                other => return Err(format!("an escape of {other:?}")),
            },
            None | Some('\n') => return Err("a string without end".to_owned()),
            Some(c) => text.push(c),
        }
    }
}

fn word(chars: &mut Peekable<Chars>, is: impl Fn(char) -> bool) -> String {
    let mut text = String::new();
    while let Some(c) = chars.next_if(|&c| is(c)) {
        text.push(c);
    }
    text
}

fn expect(chars: &mut Peekable<Chars>, wanted: char) -> Result<(), String> {
    blanks(chars);
    match chars.next() {
        Some(c) if c == wanted => Ok(()),
        other => Err(format!("{other:?} where {wanted:?} belongs")),
    }
}

fn blanks(chars: &mut Peekable<Chars>) {
    while chars.next_if(|&c| c == ' ' || c == '\t').is_some() {}
}
