//! What is said about clauses that are not as the grammar has them.

use std::collections::BTreeSet;
use std::ops::Range;

use super::codes;
use super::grammar::{Block, Clause, Count, TEXT};
use super::suggest::{any_of, nearest, shown};
use super::token::{Kind, Token};
use super::tree::{Node, Parser, Reported};
use super::value::What;

impl Parser<'_, '_> {
    /// What a message says was found instead of a value.
    pub(super) fn found(&self) -> String {
        match self.here() {
            Some(token) => shown(self.lexeme(token)),
            None if self.peek().kind == Kind::End => "the end of the text".into(),
            None => "the end of the line".into(),
        }
    }

    /// Complains that something else was expected next, unless the next token was complained about already. Takes
    /// the token only if it can be nothing but a bad value.
    pub(super) fn expected(&mut self, what: What<'_>, clause: &Clause) -> Reported {
        match self.here() {
            Some(token) if token.spoilt => {
                self.bump();
            }
            Some(token) => {
                let message = format!("`{}` needs {what}, found {}", clause.keyword, self.found());
                self.missing(token.start..token.end, message, clause);
            }
            None => {
                let message = format!("`{}` needs {what}, found {}", clause.keyword, self.found());
                self.missing(self.last.end..self.last.end, message, clause);
            }
        }
        Reported
    }

    pub(super) fn missing(&mut self, at: Range<usize>, message: String, clause: &Clause) {
        let fault = self.sink.at(&codes::MISSING, at, message);
        self.sink.push(fault.label("expected here").help(usage(clause)));
    }

    pub(super) fn stray_brace(&mut self, token: Token) {
        self.stray = self.stray.saturating_sub(1);
        let fault = self.sink.at(
            &codes::STRAY,
            token.start..token.end,
            "this `}` closes nothing, or closes too early",
        );
        self.sink.push(fault.help("remove it, or look for the `{` that was lost"));
    }

    /// Complains about a clause that was there before.
    pub(super) fn say_again(
        &mut self,
        clause: &'static Clause,
        keyword: Token,
        node: Option<&Node>,
        before: &[Node],
    ) {
        let message = format!("`{}` stands twice in this block", clause.keyword);
        let at = node.map_or(keyword.start..keyword.end, |node| node.header.clone());
        let mut fault = self.sink.at(&codes::REPEATED, at, message).label("again").help("keep one of them");
        if let Some(first) = before.iter().find(|node| std::ptr::eq(node.clause, clause)) {
            fault = fault.related(self.sink.origin(first.header.clone()), "first here");
        }
        self.sink.push(fault);
    }

    /// Complains about clauses that a block needs and has not.
    pub(super) fn absent(&mut self, block: &'static Block, seen: u32) {
        let required = block.clauses.iter().filter(|clause| clause.count == Count::Required);
        for clause in required.filter(|clause| block.bit(clause) & seen == 0) {
            let message = format!("`{}` needs a clause `{}`", block.name, clause.keyword);
            let at = self.peek();
            let fault = self.sink.at(&codes::ABSENT, at.start..at.end, message);
            self.sink.push(fault.label("the block ends without it").help(usage(clause)));
        }
    }

    pub(super) fn say_unknown(&mut self, block: &'static Block, token: Token) {
        let word = self.lexeme(token);
        if token.kind != Kind::Word {
            let message = format!("{} begins no clause", shown(word));
            let fault = self.sink.at(&codes::SURPLUS, token.start..token.end, message);
            self.sink.push(fault.help(holds(block)));
        } else if !self.say_near(block, &[], token) {
            let message = format!("unknown clause {} in {block}", shown(word));
            let help = if word.starts_with("//") { "a comment begins with `#`".into() } else { holds(block) };
            let fault = self.sink.at(&codes::UNKNOWN, token.start..token.end, message);
            self.sink.push(fault.help(help));
        }
    }

    /// Complains about a word that is a clause elsewhere, or nearly one here, or nearly one of the other words. False
    /// when it is not.
    pub(super) fn say_near(&mut self, block: &'static Block, others: &[&'static str], token: Token) -> bool {
        let word = self.lexeme(token);
        let at = token.start..token.end;
        let elsewhere: Vec<&str> = blocks_with(word).collect();
        let near = nearest(word, block.words().chain(others.iter().copied()));
        let fault = if !elsewhere.is_empty() {
            let message = format!("`{word}` is no clause of {block}");
            let help = match TEXT.find(word) {
                Some(_) => "it stands on its own, outside of all braces".to_owned(),
                None => format!("it belongs into {}", any_of(elsewhere)),
            };
            self.sink.at(&codes::MISPLACED, at, message).help(help)
        } else if let Some(near) = near {
            let message = format!("unknown clause {} in {block}", shown(word));
            self.sink.at(&codes::UNKNOWN, at, message).help(format!("did you mean `{near}`?"))
        } else {
            return false;
        };
        self.sink.push(fault);
        true
    }

    pub(super) fn say_unclosed(&mut self, open: Token, clause: Option<&Clause>) {
        self.unclosed = self.unclosed.saturating_sub(1);
        let end = self.last.end;
        let near = self.sink.origin(end..end);
        let message = match clause {
            None => "this `{` has no `}`".to_owned(),
            Some(clause) => format!("the block of `{}` has no `}}`", clause.keyword),
        };
        let fault = self.sink.at(&codes::UNCLOSED, open.start..open.end, message);
        let fault = fault.label("opened here").related(near, "perhaps it ends here");
        self.sink.push(fault.help("close it with `}`"));
    }
}

/// ``its form is `ram SPAN [node N]` ``
pub(super) fn usage(clause: &Clause) -> String {
    format!("its form is `{clause}`")
}

/// What a block may hold, for a help line.
fn holds(block: &Block) -> String {
    let keywords: Vec<&str> = block.clauses.iter().map(|clause| clause.keyword).collect();
    format!("{block} holds {}", keywords.join(", "))
}

/// The names of the blocks that know this keyword, each once.
fn blocks_with(word: &str) -> impl Iterator<Item = &'static str> {
    let names: BTreeSet<&str> =
        all_blocks().into_iter().filter(|block| block.find(word).is_some()).map(|block| block.name).collect();
    names.into_iter()
}

/// Every block of the grammar, outer ones first.
fn all_blocks() -> Vec<&'static Block> {
    let mut blocks = vec![&TEXT];
    let mut at = 0;
    while let Some(block) = blocks.get(at).copied() {
        blocks.extend(block.clauses.iter().filter_map(|clause| clause.body.block()));
        at += 1;
    }
    blocks
}
