//! The kinds of diagnostics about the spelling of descriptions. What is wrong with well-spelt facts is in
//! [`crate::read::check`].

use crate::diag::{Code, Severity};

/// Declares the codes of this file and the list of them.
macro_rules! codes {
    ($($name:ident = $id:literal $severity:ident, $title:literal, $explanation:literal;)+) => {
        $(pub(super) static $name: Code = Code {
            id: $id, severity: Severity::$severity, title: $title, explanation: $explanation,
        };)+
        /// Every kind of diagnostic about the spelling of descriptions, for `planner explain`.
        pub static CODES: &[&Code] = &[$(&$name,)+];
    };
}

codes! {
    CHARACTER = "L001" Error, "a character that has no place",
        "Outside quotes and comments a description is ASCII: words of letters, digits and `_ - . : / @ %`, the signs \
         `{ } + ..= ->`, quotes and `#`. Clauses and the items of lists are separated by spaces alone, without commas, \
         semicolons or `=`. Text that was copied from a web page or a word processor often carries curly quotes, long \
         dashes and no-break spaces; write them plain. A name with other characters goes into quotes.";
    UNTERMINATED = "L002" Error, "a string without an end",
        "A string begins and ends with `\"` on the same line. The rest of the line was taken as the string. A quote \
         within a string is written `\\\"`, a line break `\\n`.";
    ESCAPE = "L003" Error, "a bad escape in a string",
        "Within a string a backslash begins an escape: `\\\"`, `\\\\`, `\\n`, `\\t`, or `\\u{…}` with one to six \
         hexadecimal digits of a Unicode character. A backslash itself is written `\\\\`. Control characters cannot \
         stand in a string as they are.";
    UNCLOSED = "L004" Error, "a block without an end",
        "A `{` has no `}`. Where the clauses that follow belong to an outer block, the planner takes the block as \
         closed in front of them and reads on, so that this is the only complaint.";
    STRAY = "L005" Error, "a closing brace too many",
        "A `}` closes nothing, or closes a block although more of its clauses follow. Remove it, or look for the `{` \
         that was lost.";
    UNKNOWN = "L006" Error, "an unknown clause",
        "A block holds clauses, each of which begins with a keyword. This word is none of the keywords of this block. \
         Everything up to the next clause was skipped. `docs/language.md` lists the clauses of each block.";
    MISPLACED = "L007" Error, "a clause in the wrong block",
        "The keyword is known, but belongs to another block. Order within a block is free; membership is not. Look at \
         the braces around it.";
    MISSING = "L008" Error, "a value is missing",
        "A clause stands on one line: its keyword, then its values, then perhaps a block. Here a value or a brace was \
         expected and something else, or nothing, was found. The help line shows the form of the clause. A list that \
         is too long for a line goes into several clauses.";
    SURPLUS = "L009" Error, "something is left over",
        "The clause was complete, and what follows it is no clause either. The help line shows the form of the clause.";
    VALUE = "L010" Error, "not a value of the right kind",
        "The value has not the form that the clause needs: a size where an address belongs, a unit that does not \
         exist, digits that are none. Numbers are decimal or `0x…`, with `_` between digits where you like; sizes \
         take the binary units K, M, G, T, P and E.";
    TOO_LARGE = "L011" Error, "a number is too large",
        "The number does not fit: 64 bits for addresses and sizes, fewer where the hardware has fewer (buses are at \
         most 0xff, requester IDs 0xffff, PCI devices 0x1f, functions 7).";
    WORD = "L012" Error, "an unknown word",
        "The clause takes one of a few words, and this is none of them. The help line lists them.";
    INVERTED = "L013" Error, "a range ends before it begins",
        "In `A..=B` both ends belong to the range and B is not below A. Where a size was meant, write `A + SIZE`.";
    EXTENT = "L014" Error, "a span is empty or passes the end of the address space",
        "A span has at least one byte and ends at or below 0xffff_ffff_ffff_ffff. `A + SIZE` ends at A + SIZE - 1.";
    REPEATED = "L015" Error, "a clause stands twice",
        "This clause says one thing about its block, so it can stand there once. The first one was taken.";
    ABSENT = "L016" Error, "a clause is missing",
        "A block of this kind says nothing without that clause: an ITS without its frame has no doorbell.";
    NOTHING = "L017" Error, "nothing is described",
        "A description holds a `host` block, a `guest` block, or several of them. This text holds none of the kind \
         that was asked for. An empty file, and a file with comments alone, are no descriptions.";
    SECOND = "L018" Error, "more than one block where one was expected",
        "One host, or one guest, was asked for, and the text describes several. The first one was taken. Put the \
         others into files of their own.";
    TOO_MANY = "L019" Error, "too many faults",
        "The planner stops listing faults after the first 200. Often the file is of another kind altogether.";
    DECIMAL = "L020" Warning, "a decimal address",
        "Kernel logs and `/proc/iomem` print addresses in hexadecimal, often without `0x`. A long address without `0x` \
         is read as decimal, which is rarely meant. Write addresses with `0x`.";
}
