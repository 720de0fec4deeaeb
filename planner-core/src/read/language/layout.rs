//! Clauses to lines: indentation, what shares a line, and where a block breaks. Used by the printer, which makes its
//! clauses from facts, and by the formatter, which makes them from what somebody wrote.

/// Columns that a line may have before what shares it is broken up.
const WIDTH: usize = 100;
/// Between clauses on one line.
const GAP: &str = "  ";
const INDENT: &str = "    ";

/// A comment or a clause, in order.
#[derive(Debug)]
pub(super) enum Entry {
    /// A comment on a line of its own, from its `#`.
    Comment { text: String, blank_before: bool },
    /// A clause.
    Clause(Line),
}

/// A clause.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// Keyword and values.
    pub(super) text: String,
    /// Its block.
    pub(super) block: Option<Inner>,
    /// The comment behind it on its line.
    pub(super) trailing: Option<String>,
    /// Whether an empty line comes before it.
    pub(super) blank_before: bool,
    /// Whether it shares the line of the clause before it, if there is room.
    pub(super) joins: bool,
}

/// A block.
#[derive(Debug, Default)]
pub(super) struct Inner {
    /// The comment behind its opening brace.
    pub(super) opening: Option<String>,
    pub(super) entries: Vec<Entry>,
    /// Whether it shall stand on one line, if there is room.
    pub(super) inline: bool,
}

impl Line {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }
    /// With a block that stands on one line if there is room; without one when there is nothing in it.
    pub(super) fn inline(mut self, entries: Vec<Self>) -> Self {
        if !entries.is_empty() {
            self.block = Some(Inner::of(entries, true));
        }
        self
    }
    /// With a block of a line for each clause.
    pub(super) fn tall(mut self, entries: Vec<Self>) -> Self {
        self.block = Some(Inner::of(entries, false));
        self
    }
    pub(super) fn joining(mut self) -> Self {
        self.joins = true;
        self
    }
}

impl Inner {
    fn of(lines: Vec<Line>, inline: bool) -> Self {
        Self { opening: None, entries: lines.into_iter().map(Entry::Clause).collect(), inline }
    }
}

/// The text of a whole description.
pub(super) fn text(entries: &[Entry]) -> String {
    let mut out = String::new();
    write(entries, 0, &mut out);
    out
}

fn write(entries: &[Entry], depth: usize, out: &mut String) {
    let mut at = 0;
    while let Some(entry) = entries.get(at) {
        let blank = match entry {
            Entry::Comment { blank_before, .. } => *blank_before,
            Entry::Clause(line) => line.blank_before,
        };
        if blank && at > 0 {
            out.push('\n');
        }
        match entry {
            Entry::Comment { text, .. } => {
                indent(depth, out);
                out.push_str(text);
                out.push('\n');
                at += 1;
            }
            Entry::Clause(_) => {
                let sharing = sharing(entries.get(at..).unwrap_or_default());
                write_sharing(&sharing, depth, out);
                at += sharing.len();
            }
        }
    }
}

/// The clauses at the start of these entries that share a line.
fn sharing(entries: &[Entry]) -> Vec<&Line> {
    let mut lines: Vec<&Line> = Vec::new();
    for entry in entries {
        match entry {
            Entry::Clause(line)
                if lines.is_empty()
                    || line.joins && lines.last().is_some_and(|before| before.trailing.is_none()) =>
            {
                lines.push(line);
            }
            _ => break,
        }
    }
    lines
}

/// Writes clauses on one line if there is room, else each on its own.
fn write_sharing(lines: &[&Line], depth: usize, out: &mut String) {
    let room = WIDTH.saturating_sub(depth * INDENT.len());
    let flat: Option<Vec<String>> = lines.iter().map(|line| flat(line)).collect();
    let joined = flat.map(|flat| flat.join(GAP)).filter(|joined| joined.chars().count() <= room);
    match joined {
        Some(joined) => {
            indent(depth, out);
            out.push_str(&joined);
            end(lines.last().and_then(|line| line.trailing.as_deref()), out);
        }
        None if lines.len() > 1 => lines.iter().for_each(|line| write_sharing(&[line], depth, out)),
        None => lines.iter().for_each(|line| write_tall(line, depth, out)),
    }
}

/// The clause on one line, if its block allows it.
fn flat(line: &Line) -> Option<String> {
    let Some(block) = &line.block else { return Some(line.text.clone()) };
    if block.entries.is_empty() && block.opening.is_none() {
        return Some(format!("{} {{}}", line.text));
    }
    if !block.inline || block.opening.is_some() {
        return None;
    }
    let inner = block.entries.iter().map(|entry| match entry {
        Entry::Clause(line) if line.trailing.is_none() => flat(line),
        _ => None,
    });
    let inner: Option<Vec<String>> = inner.collect();
    Some(format!("{} {{ {} }}", line.text, inner?.join(GAP)))
}

fn write_tall(line: &Line, depth: usize, out: &mut String) {
    indent(depth, out);
    out.push_str(&line.text);
    if let Some(block) = &line.block {
        out.push_str(" {");
        end(block.opening.as_deref(), out);
        write(&block.entries, depth + 1, out);
        indent(depth, out);
        out.push('}');
    }
    end(line.trailing.as_deref(), out);
}

fn end(comment: Option<&str>, out: &mut String) {
    if let Some(comment) = comment {
        out.push_str(GAP);
        out.push_str(comment);
    }
    out.push('\n');
}

fn indent(depth: usize, out: &mut String) {
    for _ in 0..depth {
        out.push_str(INDENT);
    }
}
