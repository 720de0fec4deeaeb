//! Tokens to a tree of clauses, by the tables of [`super::grammar`].
//!
//! One fault gives one diagnostic: what cannot be understood is skipped up to the next clause of the block, the end of
//! the line or the closing brace, and a clause that was complained about is marked, so that nobody later complains
//! about what it fails to say. Recursion is bounded by the grammar, which nests four deep; unknown blocks are skipped
//! without it.

use std::ops::Range;

use super::codes;
use super::complain::usage;
use super::grammar::{Arg, Block, Body, Clause, Count, TEXT};
use super::sink::Sink;
use super::suggest::shown;
use super::token::{Kind, Token, Tokens};
use super::value::{Value, What};

/// A clause that was understood.
pub(super) struct Node {
    /// Its row in the tables.
    pub(super) clause: &'static Clause,
    /// Its words without its block.
    pub(super) header: Range<usize>,
    /// Its line, from 0.
    pub(super) line: usize,
    /// Its values in the order of the text.
    pub(super) values: Vec<Given>,
    /// Its block.
    pub(super) body: Option<Braces>,
}

/// A value of a clause.
pub(super) struct Given {
    pub(super) arg: &'static Arg,
    pub(super) value: Value,
    /// Where it stands, with the words in front of it.
    pub(super) at: Range<usize>,
}

/// A block with its braces.
pub(super) struct Braces {
    pub(super) nodes: Vec<Node>,
    /// The opening brace.
    pub(super) open: Brace,
    /// The closing brace.
    pub(super) close: Brace,
}

/// A brace: its byte and its line, from 0.
#[derive(Clone, Copy)]
pub(super) struct Brace {
    pub(super) start: usize,
    pub(super) line: usize,
}

impl From<Token> for Brace {
    fn from(token: Token) -> Self {
        Self { start: token.start, line: token.line }
    }
}

/// Reads the tokens of a whole text.
pub(super) fn tree(text: &str, tokens: &Tokens, sink: &mut Sink) -> Vec<Node> {
    let count = |kind| tokens.tokens.iter().filter(|token| token.kind == kind).count();
    let (opened, closed) = (count(Kind::Open), count(Kind::Close));
    let mut parser = Parser {
        text,
        tokens: &tokens.tokens,
        at: 0,
        last: Token { kind: Kind::End, start: 0, end: 0, line: 0, spoilt: false },
        unclosed: opened.saturating_sub(closed),
        stray: closed.saturating_sub(opened),
        open: Vec::new(),
        sink,
    };
    let mut nodes = Vec::new();
    loop {
        nodes.append(&mut parser.clauses(&TEXT));
        let token = parser.peek();
        if token.kind == Kind::End {
            return nodes;
        }
        parser.bump();
        parser.stray_brace(token);
    }
}

/// An error that was already reported.
pub(super) struct Reported;

/// The state of reading.
pub(super) struct Parser<'t, 's> {
    pub(super) text: &'t str,
    tokens: &'t [Token],
    at: usize,
    /// The token taken last.
    pub(super) last: Token,
    /// How many more `{` than `}` the text has and nobody has yet complained about.
    pub(super) unclosed: usize,
    /// How many more `}` than `{` the text has and nobody has yet complained about.
    pub(super) stray: usize,
    /// The blocks that are open, the one being read last.
    open: Vec<&'static Block>,
    pub(super) sink: &'s mut Sink,
}

impl<'t> Parser<'t, '_> {
    /// The next token; at the end, the end again and again.
    pub(super) fn peek(&self) -> Token {
        self.ahead(0)
    }

    fn ahead(&self, distance: usize) -> Token {
        let end = Token {
            kind: Kind::End,
            start: self.text.len(),
            end: self.text.len(),
            line: self.last.line,
            spoilt: false,
        };
        self.tokens.get(self.at.saturating_add(distance)).copied().unwrap_or(end)
    }

    pub(super) fn bump(&mut self) -> Token {
        self.last = self.peek();
        self.at = self.at.saturating_add(1).min(self.tokens.len());
        self.last
    }

    pub(super) fn lexeme(&self, token: Token) -> &'t str {
        self.text.get(token.start..token.end).unwrap_or_default()
    }

    /// The next token if it stands on the line of the one before and is not the end.
    pub(super) fn here(&self) -> Option<Token> {
        let token = self.peek();
        (token.kind != Kind::End && token.line == self.last.line).then_some(token)
    }

    /// Where the token taken last ends.
    pub(super) fn last_end(&self) -> usize {
        self.last.end
    }

    /// Whether the token begins another clause of the block being read.
    pub(super) fn begins_sibling(&self, token: Token) -> bool {
        token.kind == Kind::Word
            && self.open.last().is_some_and(|block| block.find(self.lexeme(token)).is_some())
    }

    /// Takes the next token of this line if it is of this kind.
    pub(super) fn take(&mut self, kind: Kind) -> Option<Token> {
        let token = self.here().filter(|token| token.kind == kind)?;
        self.bump();
        Some(token)
    }

    /// Takes the next word of this line if it is this one.
    pub(super) fn take_word(&mut self, word: &str) -> Option<Token> {
        let token = self.here().filter(|&token| token.kind != Kind::Text && self.lexeme(token) == word)?;
        self.bump();
        Some(token)
    }

    /// The clauses of a block, up to its closing brace, which is left.
    fn clauses(&mut self, block: &'static Block) -> Vec<Node> {
        self.open.push(block);
        let nodes = self.clauses_of(block);
        self.open.pop();
        nodes
    }

    fn clauses_of(&mut self, block: &'static Block) -> Vec<Node> {
        let mut nodes = Vec::new();
        // One bit for each clause of the block that was there, understood or not.
        let mut seen = 0_u32;
        let mut doubtful = false;
        loop {
            let token = self.peek();
            match (token.kind, block.find(self.lexeme(token))) {
                (Kind::End, _) => break,
                (Kind::Close, _) if !self.closes_too_early(block) => break,
                (Kind::Close, _) => {
                    self.bump();
                    self.stray_brace(token);
                }
                (Kind::Word, Some(clause)) => {
                    let again = block.bit(clause) & seen != 0 && clause.count != Count::Many;
                    seen |= block.bit(clause);
                    let node = self.clause(clause, block);
                    if again {
                        self.say_again(clause, token, node.as_ref(), &nodes);
                    } else {
                        nodes.extend(node);
                    }
                }
                (Kind::Word, None) if self.ends_before(block, token) => {
                    doubtful = true;
                    break;
                }
                _ => {
                    doubtful = true;
                    self.unknown(block, token);
                }
            }
        }
        if !doubtful && self.unclosed == 0 && self.peek().kind == Kind::Close {
            self.absent(block, seen);
        }
        nodes
    }

    /// Whether the closing brace ahead cannot be this block's: the text has too many, and clauses of this block follow.
    fn closes_too_early(&self, block: &'static Block) -> bool {
        let Some(outer) = self.open.iter().rev().nth(1) else { return false };
        let next = self.lexeme(self.ahead(1));
        self.stray > 0 && block.find(next).is_some() && outer.find(next).is_none()
    }

    /// Whether the block must have ended before this word: the text lacks a closing brace, and the word begins a
    /// clause of a block further out.
    fn ends_before(&self, block: &'static Block, token: Token) -> bool {
        self.unclosed > 0
            && token.line != self.last.line
            && self
                .open
                .iter()
                .any(|open| !std::ptr::eq(*open, block) && open.find(self.lexeme(token)).is_some())
    }

    /// Whether a brace was forgotten in front of this block: the text has too few, and a clause that can only be of
    /// this block comes on the next line.
    fn opens_without_brace(&self, block: &'static Block) -> bool {
        let token = self.peek();
        let here = |block: &Block| block.find(self.lexeme(token)).is_some();
        self.stray > 0
            && token.kind == Kind::Word
            && here(block)
            && !self.open.last().is_some_and(|around| here(around))
    }

    /// Complains about what begins no clause of this block, and skips it.
    fn unknown(&mut self, block: &'static Block, token: Token) {
        if !token.spoilt {
            self.say_unknown(block, token);
        }
        if token.kind == Kind::Open {
            return self.skip_block();
        }
        self.bump();
        self.skip(block, Body::None);
        if self.peek().kind == Kind::Open {
            self.skip_block();
        }
    }

    /// Skips to the next clause of this block, the end of the line, the closing brace, or the block `body` if the
    /// clause can have one. Other blocks are skipped whole.
    fn skip(&mut self, block: &'static Block, body: Body) {
        while let Some(token) = self.here() {
            match token.kind {
                Kind::Close => return,
                Kind::Open if body.block().is_some() => return,
                Kind::Open => return self.skip_block(),
                Kind::Word if block.find(self.lexeme(token)).is_some() => return,
                _ => {
                    self.bump();
                }
            }
        }
    }

    /// Skips a block with all that is in it.
    fn skip_block(&mut self) {
        let open = self.bump();
        let mut depth = 1_usize;
        while depth > 0 {
            match self.peek().kind {
                Kind::Open => depth = depth.saturating_add(1),
                Kind::Close => depth = depth.saturating_sub(1),
                Kind::End => return self.say_unclosed(open, None),
                _ => {}
            }
            self.bump();
        }
    }

    /// A clause whose keyword is next. `None` when it was complained about.
    fn clause(&mut self, clause: &'static Clause, block: &'static Block) -> Option<Node> {
        let keyword = self.bump();
        let mut node = Node {
            clause,
            header: keyword.start..keyword.end,
            line: keyword.line,
            values: Vec::with_capacity(clause.args.len()),
            body: None,
        };
        let good = self.values(&mut node).is_ok();
        node.header.end = self.last.end;
        if good {
            self.surplus(clause, block);
        } else {
            self.skip(block, clause.body);
        }
        self.body(&mut node, good).ok()?;
        good.then_some(node)
    }

    /// Complains about what is left over on the line behind the values, and skips it.
    fn surplus(&mut self, clause: &'static Clause, block: &'static Block) {
        let Some(token) = self.here() else { return };
        let next_block = token.kind == Kind::Open && clause.body.block().is_some();
        if token.kind == Kind::Close || next_block || self.begins_sibling(token) {
            return;
        }
        let words: Vec<&str> = clause.args.iter().flat_map(Arg::words).copied().collect();
        let said = token.spoilt
            || !words.contains(&self.lexeme(token))
                && token.kind == Kind::Word
                && self.say_near(block, &words, token);
        if !said {
            let message = match token.kind {
                Kind::Open => format!("`{}` takes no block", clause.keyword),
                _ => format!("{} is left over behind `{}`", shown(self.lexeme(token)), clause.keyword),
            };
            let fault = self.sink.at(&codes::SURPLUS, token.start..token.end, message);
            self.sink.push(fault.help(usage(clause)));
        }
        self.skip(block, clause.body);
    }

    /// The block of a clause. A missing brace is complained about only if nothing else was.
    fn body(&mut self, node: &mut Node, good: bool) -> Result<(), Reported> {
        let Some(block) = node.clause.body.block() else { return Ok(()) };
        let mut open = self.peek();
        if open.kind == Kind::Open {
            self.bump();
        } else if self.opens_without_brace(block) {
            self.stray = self.stray.saturating_sub(1);
            self.expected(What::Word("{"), node.clause);
            open = Token { kind: Kind::Open, end: open.start, ..open };
        } else if good && matches!(node.clause.body, Body::Must(_)) {
            return Err(self.expected(What::Text("a block in braces"), node.clause));
        } else {
            return Ok(());
        }
        let nodes = self.clauses(block);
        let close = self.peek();
        if close.kind == Kind::Close {
            self.bump();
        } else {
            self.say_unclosed(open, Some(node.clause));
        }
        node.body = Some(Braces { nodes, open: open.into(), close: close.into() });
        Ok(())
    }
}
