//! A small compiler of devicetree sources, so that cases can be read: as much of the language as the cases use, and
//! what a compiler refuses to write.
//!
//! Nodes with labels, properties of strings and cells, references `&label` in cells. Beyond that, for broken blobs:
//! `/token/ <…>;` puts cells into the structure block as they are, `/nest/ N;` nests empty nodes, and lines at the top
//! change the finished blob: `//! at OFFSET = VALUE` sets a 32-bit number, `//! cut LENGTH` ends the file there, and
//! `//! pad LENGTH` appends zeros.

use std::collections::BTreeMap;

const BEGIN_NODE: u32 = 1;
const END_NODE: u32 = 2;
const PROP: u32 = 3;
const END: u32 = 9;
/// Header, then an empty memory reservation block.
const HEADER_BYTES: usize = 40;
const RESERVATION_BYTES: usize = 16;

/// The blob of a source.
pub(crate) fn compile(source: &str) -> Vec<u8> {
    let mut compiler = Compiler::new(source);
    compiler.expect("/");
    compiler.node("");
    cells(&mut compiler.structure, &[END]);
    change(compiler.blob(), source)
}

struct Compiler {
    /// Words that are still to be read, the next one last.
    words: Vec<String>,
    structure: Vec<u8>,
    strings: Vec<u8>,
    labels: BTreeMap<String, u32>,
}

impl Compiler {
    fn new(source: &str) -> Self {
        let words = words(source);
        let labels = words.iter().filter_map(|word| word.strip_suffix(':'));
        let labels = labels.zip(1..).map(|(label, phandle)| (label.to_owned(), phandle)).collect();
        Self { words: words.into_iter().rev().collect(), structure: Vec::new(), strings: Vec::new(), labels }
    }

    fn next(&mut self) -> String {
        self.words.pop().unwrap()
    }

    fn expect(&mut self, word: &str) {
        assert_eq!(self.next(), word);
    }

    fn take(&mut self, word: &str) -> bool {
        let next = self.words.last().is_some_and(|next| next == word);
        if next {
            self.words.pop();
        }
        next
    }

    /// What follows the name of a node.
    fn node(&mut self, name: &str) {
        self.begin(name);
        self.expect("{");
        let mut label = None;
        while !self.take("}") {
            let word = self.next();
            if let Some(named) = word.strip_suffix(':') {
                label = Some(named.to_owned());
            } else if self.words.last().is_some_and(|next| next == "{") {
                self.labelled_node(&word, label.take());
            } else {
                self.statement(&word);
            }
        }
        cells(&mut self.structure, &[END_NODE]);
        self.take(";");
    }

    fn labelled_node(&mut self, name: &str, label: Option<String>) {
        match label {
            None => self.node(name),
            Some(label) => {
                let phandle = self.labels[&label];
                // The phandle is the first property of the node.
                let cell = format!("{phandle}");
                self.words.pop();
                for word in [";", ">", &cell, "<", "=", "phandle", "{"] {
                    self.words.push(word.to_owned());
                }
                self.node(name);
            }
        }
    }

    fn statement(&mut self, word: &str) {
        match word {
            "/token/" => {
                let mut value = Vec::new();
                self.cells(&mut value);
                self.structure.extend(value);
            }
            "/nest/" => {
                let depth: usize = self.next().parse().unwrap();
                (0..depth).for_each(|_| self.begin("n"));
                (0..depth).for_each(|_| cells(&mut self.structure, &[END_NODE]));
            }
            name => {
                let value = if self.take("=") { self.value() } else { Vec::new() };
                self.property(name, &value);
            }
        }
        self.expect(";");
    }

    fn begin(&mut self, name: &str) {
        cells(&mut self.structure, &[BEGIN_NODE]);
        self.structure.extend(name.bytes().chain([0]));
        pad(&mut self.structure);
    }

    fn property(&mut self, name: &str, value: &[u8]) {
        let at = self.strings.len();
        self.strings.extend(name.bytes().chain([0]));
        cells(&mut self.structure, &[PROP, number(value.len()), number(at)]);
        self.structure.extend(value);
        pad(&mut self.structure);
    }

    /// Strings and rows of cells, with commas between.
    fn value(&mut self) -> Vec<u8> {
        let mut value = Vec::new();
        loop {
            if self.words.last().is_some_and(|word| word == "<") {
                self.cells(&mut value);
            } else {
                value.extend(self.next().trim_matches('"').bytes().chain([0]));
            }
            if !self.take(",") {
                return value;
            }
        }
    }

    fn cells(&mut self, value: &mut Vec<u8>) {
        self.expect("<");
        while !self.take(">") {
            let word = self.next();
            let cell = match word.strip_prefix('&') {
                Some(label) => self.labels[label],
                None => parse(&word),
            };
            cells(value, &[cell]);
        }
    }

    /// Header, reservations, strings, structure: what is cut off at the end is structure.
    fn blob(&self) -> Vec<u8> {
        let strings_at = HEADER_BYTES + RESERVATION_BYTES;
        let mut strings = self.strings.clone();
        pad(&mut strings);
        let structure_at = strings_at + strings.len();
        let total = structure_at + self.structure.len();
        let mut blob = Vec::new();
        let sizes = [number(self.strings.len()), number(self.structure.len())];
        cells(&mut blob, &[0xd00d_feed, number(total), number(structure_at), number(strings_at)]);
        cells(&mut blob, &[number(HEADER_BYTES), 17, 16, 0, sizes[0], sizes[1]]);
        blob.extend([0; RESERVATION_BYTES]);
        blob.extend(strings);
        blob.extend(&self.structure);
        blob
    }
}

/// The words of a source without its comments. A comma is a word of its own only where spaces stand around it or
/// before it, since names of properties hold commas.
fn words(source: &str) -> Vec<String> {
    let mut words = Vec::new();
    for line in source.lines().map(|line| line.split("//").next().unwrap_or_default()) {
        for (index, part) in line.split('"').enumerate() {
            if index % 2 == 1 {
                words.push(format!("\"{part}\""));
                continue;
            }
            let mut spaced = part.replace(">,", "> ,");
            for mark in ["{", "}", ";", "<", ">", "="] {
                spaced = spaced.replace(mark, &format!(" {mark} "));
            }
            words.extend(spaced.split_whitespace().map(str::to_owned));
        }
    }
    words
}

fn cells(to: &mut Vec<u8>, cells: &[u32]) {
    to.extend(cells.iter().flat_map(|cell| cell.to_be_bytes()));
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

fn number(length: usize) -> u32 {
    u32::try_from(length).unwrap()
}

fn parse(word: &str) -> u32 {
    match word.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16).unwrap_or_else(|_| panic!("{word}")),
        None => word.parse().unwrap_or_else(|_| panic!("{word}")),
    }
}

/// Applies the lines that change the finished blob.
fn change(mut blob: Vec<u8>, source: &str) -> Vec<u8> {
    for line in source.lines().filter_map(|line| line.strip_prefix("//! ")) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let length = |word: &str| usize::try_from(parse(word)).unwrap();
        match words.as_slice() {
            ["at", offset, "=", value] => {
                let at = length(offset);
                blob[at..at + 4].copy_from_slice(&parse(value).to_be_bytes());
            }
            ["cut", end] => blob.truncate(length(end)),
            ["pad", more] => blob.resize(blob.len() + length(more), 0),
            _ => panic!("{line}"),
        }
    }
    blob
}
