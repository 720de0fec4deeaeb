//! The reference part of `docs/language.md`, from the tables of the grammar.

use std::fmt::Write as _;

use super::grammar::{Block, Clause, Count, TEXT};

/// Every clause of the language in Markdown: its form, what it says, what holds without it, an example.
#[must_use]
pub fn reference() -> String {
    let mut out = String::new();
    block(&TEXT, "a description", 0, &mut out);
    out
}

fn block(block: &'static Block, path: &str, depth: usize, out: &mut String) {
    let _ = writeln!(out, "### In {path}\n");
    for clause in block.clauses {
        describe(clause, out);
    }
    for clause in block.clauses {
        if let Some(inner) = clause.body.block() {
            let path = if depth < 1 {
                format!("`{}`", clause.keyword)
            } else {
                format!("`{}` of {path}", clause.keyword)
            };
            self::block(inner, &path, depth + 1, out);
        }
    }
}

fn describe(clause: &Clause, out: &mut String) {
    let _ = writeln!(out, "#### `{clause}`\n\n{}", clause.doc);
    let mut facts: Vec<String> = Vec::new();
    match clause.count {
        Count::Required => facts.push("Must be there, once.".into()),
        Count::Once => {}
        Count::Many => facts.push("May stand several times.".into()),
    }
    if let Some(synonym) = clause.synonym {
        facts.push(format!("May be written `{synonym}`."));
    }
    if !clause.absent.is_empty() {
        facts.push(format!("When absent: {}.", clause.absent));
    }
    if !facts.is_empty() {
        let _ = writeln!(out, "{}", facts.join(" "));
    }
    let _ = writeln!(out, "\n```text\n{}\n```\n", clause.example);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::language;

    /// Each example, in blocks whose headers are those of the examples of the clauses around it, reads without a fault.
    #[test]
    fn every_example_of_the_grammar_reads() {
        let mut seen = 0;
        examples(&TEXT, "", "", &mut |text| {
            seen += 1;
            let (_, found) = language::parse("example", text);
            let found: Vec<_> =
                found.iter().filter(|fault| fault.code != &super::super::codes::ABSENT).collect();
            assert!(found.is_empty(), "{text}\n{found:#?}");
        });
        assert!(seen > 60, "only {seen} examples");
    }

    fn examples(block: &'static Block, before: &str, behind: &str, check: &mut impl FnMut(&str)) {
        for clause in block.clauses {
            assert!(!clause.doc.is_empty() && clause.example.starts_with(clause.keyword), "{clause}");
            check(&format!("{before}{}{behind}", clause.example));
            if let Some(inner) = clause.body.block() {
                let (header, _) = clause.example.split_once('{').expect("the example shows the block");
                examples(inner, &format!("{before}{header}{{ "), &format!(" }}{behind}"), check);
            }
        }
    }
}
