//! Text to tokens. Every fault of spelling (a character that has no place, a string without end, a bad escape) is
//! reported here, once; the token that it spoils is marked so that nobody complains about it again.

use nom::branch::alt;
use nom::bytes::complete::{tag, take_till, take_while1};
use nom::character::complete::{anychar, char};
use nom::combinator::{recognize, value};
use nom::error::{Error, ErrorKind};
use nom::multi::many1_count;
use nom::sequence::{pair, preceded};
use nom::{IResult, Parser};

use super::codes;
use super::sink::Sink;
use super::suggest::shown;

/// What a token is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// A keyword, a name, a number: whatever stands without quotes.
    Word,
    /// A string in quotes.
    Text,
    /// `{`
    Open,
    /// `}`
    Close,
    /// `+`
    Plus,
    /// `..=`
    Through,
    /// `->`
    Arrow,
    /// The end of the text.
    End,
}

/// A token: a stretch of bytes of the text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
    /// Number of its line, from 0.
    pub(super) line: usize,
    /// Whether a diagnostic was already given for it.
    pub(super) spoilt: bool,
}

/// A comment from its `#` to the last character that is no space.
#[derive(Clone, Copy, Debug)]
pub(super) struct Comment {
    pub(super) start: usize,
    pub(super) end: usize,
    /// Number of its line, from 0.
    pub(super) line: usize,
}

/// A text cut into tokens.
pub(super) struct Tokens {
    /// In order; the last one is [`Kind::End`].
    pub(super) tokens: Vec<Token>,
    /// In order.
    pub(super) comments: Vec<Comment>,
}

/// What one step of the lexer finds.
#[derive(Clone, Copy)]
enum Piece {
    Space,
    Newline,
    Comment,
    Token(Kind),
    /// `..`, which is no range here.
    HalfOpen,
    /// A string; its escapes are looked at later.
    Text,
    Unterminated,
    Junk,
}

/// Cuts a text into tokens.
pub(super) fn tokens(text: &str, sink: &mut Sink) -> Tokens {
    let mut out = Tokens { tokens: Vec::with_capacity(text.len() / 6), comments: Vec::new() };
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut line = 0;
    while let Ok((after, kind)) = piece(rest) {
        let (start, end) = (text.len() - rest.len(), text.len() - after.len());
        let lexeme = text.get(start..end).unwrap_or_default();
        match kind {
            Piece::Space => {}
            Piece::Newline => line += 1,
            Piece::Comment => {
                out.comments.push(Comment { start, end: start + lexeme.trim_ascii_end().len(), line });
            }
            Piece::Junk => junk(lexeme, start, sink),
            other => out.tokens.push(token(other, lexeme, start, line, sink)),
        }
        rest = after;
    }
    out.tokens.push(Token { kind: Kind::End, start: text.len(), end: text.len(), line, spoilt: false });
    out
}

/// The next piece. Fails only at the end of the text: every character is at least junk.
fn piece(input: &str) -> IResult<&str, Piece> {
    let is = Piece::Token;
    alt((
        value(Piece::Space, take_while1(|c| matches!(c, ' ' | '\t' | '\r'))),
        value(is(Kind::Word), word),
        value(Piece::Newline, char('\n')),
        value(is(Kind::Open), char('{')),
        value(is(Kind::Close), char('}')),
        value(is(Kind::Plus), char('+')),
        value(is(Kind::Through), tag("..=")),
        value(is(Kind::Arrow), tag("->")),
        value(Piece::Comment, pair(char('#'), take_till(|c| c == '\n'))),
        value(Piece::Text, (char('"'), string_body, char('"'))),
        value(Piece::Unterminated, unterminated),
        value(Piece::HalfOpen, tag("..")),
        value(Piece::Junk, anychar),
    ))
    .parse(input)
}

/// A word. It ends before `..`, which makes a range, and before `->`. Characters outside ASCII are taken in so that the
/// complaint about them is one.
fn word(input: &str) -> IResult<&str, &str> {
    let (rest, run) = take_while1(is_word_char).parse(input)?;
    let mut length = run.as_bytes().windows(2).position(|two| two == b"..").unwrap_or(run.len());
    if length == run.len() && run.ends_with('-') && rest.starts_with('>') {
        length = length.saturating_sub(1);
    }
    match length {
        0 => Err(nom::Err::Error(Error::new(input, ErrorKind::TakeWhile1))),
        _ => Ok((input.get(length..).unwrap_or_default(), run.get(..length).unwrap_or_default())),
    }
}

fn is_word_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '/' | '@' | '%') || !c.is_ascii()
}

/// What stands between two quotes on one line.
fn string_body(input: &str) -> IResult<&str, &str> {
    let plain = take_while1(|c| !matches!(c, '"' | '\\' | '\n'));
    let escape = recognize(preceded(char('\\'), not_newline));
    match recognize(many1_count(alt((plain, escape)))).parse(input) {
        Err(nom::Err::Error(_)) => Ok((input, "")),
        other => other,
    }
}

/// The rest of the line, but not a brace at its end, so that the block that it opens is not lost.
fn unterminated(input: &str) -> IResult<&str, &str> {
    let (_, line) = recognize(pair(char('"'), take_till(|c| c == '\n'))).parse(input)?;
    let line = line.trim_ascii_end();
    let length = line.strip_suffix('{').map_or(line.len(), str::len);
    Ok((input.get(length..).unwrap_or_default(), line.get(..length).unwrap_or_default()))
}

fn not_newline(input: &str) -> IResult<&str, char> {
    nom::character::complete::none_of("\n").parse(input)
}

/// Whether a name can stand without quotes and still be told from a number.
pub(super) fn is_bare(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.is_ascii()
        && matches!(word(name), Ok(("", _)))
}

fn token(piece: Piece, lexeme: &str, start: usize, line: usize, sink: &mut Sink) -> Token {
    let end = start + lexeme.len();
    let mut found = Token { kind: Kind::Text, start, end, line, spoilt: false };
    match piece {
        Piece::Token(kind) => {
            found.kind = kind;
            found.spoilt = kind == Kind::Word && !lexeme.is_ascii() && foreign(lexeme, start, sink);
        }
        Piece::HalfOpen => {
            found.kind = Kind::Through;
            found.spoilt = true;
            let fault = sink.at(&codes::CHARACTER, start..end, "`..` is no range");
            sink.push(fault.label("expected `..=`").help("both ends belong to a range: write `64..=319`"));
        }
        Piece::Text => found.spoilt = unescape(lexeme, start, Some(sink)).is_none(),
        _ => {
            found.end = start + lexeme.trim_ascii_end().len();
            found.spoilt = true;
            let fault = sink.at(&codes::UNTERMINATED, start..found.end, "the string has no end");
            sink.push(fault.label("begins here").help("close it with `\"` on the same line"));
        }
    }
    found
}

/// Complains about a word with characters outside ASCII.
fn foreign(lexeme: &str, start: usize, sink: &mut Sink) -> bool {
    let Some((offset, c)) = lexeme.char_indices().find(|(_, c)| !c.is_ascii()) else { return false };
    let at = start + offset..start + offset + c.len_utf8();
    let message = format!(
        "{} (U+{:04X}) has no place outside quotes and comments",
        shown(&c.to_string()),
        u32::from(c)
    );
    let help = match c {
        '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{2018}' | '\u{2019}' => "quotes are straight: `\"`",
        '\u{2013}' | '\u{2014}' | '\u{2212}' | '\u{2010}' | '\u{2011}' => "write a plain hyphen: `-`",
        _ if c.is_whitespace() => "write a plain space",
        _ => "put the name in quotes: `\"…\"`",
    };
    let fault = sink.at(&codes::CHARACTER, at, message);
    sink.push(fault.help(help));
    true
}

/// Complains about a character that begins nothing.
fn junk(lexeme: &str, start: usize, sink: &mut Sink) {
    let help = match lexeme {
        "," | ";" => "clauses and lists are separated by spaces alone",
        "=" => "a clause is its keyword and its values, without `=`",
        "'" => "strings stand in double quotes",
        "." => "a range is written `..=`",
        _ => "remove it",
    };
    let fault = sink.at(
        &codes::CHARACTER,
        start..start + lexeme.len(),
        format!("{} has no place here", shown(lexeme)),
    );
    sink.push(fault.help(help));
}

/// The characters that a string in quotes stands for, or `None` when it is spoilt. With a sink, says why.
pub(super) fn unescape(lexeme: &str, start: usize, mut sink: Option<&mut Sink>) -> Option<String> {
    let body = lexeme.strip_prefix('"')?.strip_suffix('"')?;
    let mut out = String::with_capacity(body.len());
    let mut good = true;
    let mut rest = body;
    while let Some(c) = rest.chars().next() {
        let at = start + 1 + body.len() - rest.len();
        let (length, found) = if c == '\\' { escape(rest) } else { (c.len_utf8(), literal(c)) };
        match found {
            Some(c) => out.push(c),
            None => {
                good = false;
                if let Some(sink) = sink.as_deref_mut() {
                    bad_escape(rest.get(..length).unwrap_or_default(), at, sink);
                }
            }
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    good.then_some(out)
}

/// A character that stands for itself: anything but a control character.
fn literal(c: char) -> Option<char> {
    (!c.is_control()).then_some(c)
}

/// Length and meaning of the escape at the start of the text.
fn escape(text: &str) -> (usize, Option<char>) {
    match text.chars().nth(1) {
        Some(c @ ('"' | '\\')) => (2, Some(c)),
        Some('n') => (2, Some('\n')),
        Some('t') => (2, Some('\t')),
        Some('u') if text.get(2..3) == Some("{") => {
            let length = text.find(['}', '"']).map_or(text.len(), |end| end + 1);
            let digits = text.get(3..length.saturating_sub(1)).unwrap_or_default();
            let plain = (1..=6).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
            let code = plain.then(|| u32::from_str_radix(digits, 16).ok()).flatten();
            (length, code.and_then(char::from_u32))
        }
        Some(c) => (1 + c.len_utf8(), None),
        None => (1, None),
    }
}

fn bad_escape(lexeme: &str, at: usize, sink: &mut Sink) {
    let message = if lexeme.starts_with('\\') {
        format!("{} is no escape", shown(lexeme))
    } else {
        format!("a string cannot hold {} as it is", shown(lexeme))
    };
    let fault = sink.at(&codes::ESCAPE, at..at + lexeme.len(), message);
    sink.push(fault.help("the escapes are `\\\"`, `\\\\`, `\\n`, `\\t` and `\\u{1f4a1}`"));
}

/// A name or text as the language writes it: bare if it can be, in quotes otherwise.
pub(super) fn spelled(text: &str) -> String {
    if is_bare(text) { text.to_owned() } else { quoted(text) }
}

/// A text in quotes.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
