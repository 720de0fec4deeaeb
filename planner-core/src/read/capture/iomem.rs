//! `proc/iomem`: the resource tree of the CPUs' address space, as `r_show` in kernel/resource.c prints it.

use std::sync::Arc;

use nom::bytes::complete::tag;
use nom::character::complete::{char, space0};
use nom::combinator::{all_consuming, rest};
use nom::{IResult, Parser};

use super::codes;
use super::log::{Log, quoted};
use super::text::{hex_u64, lines, text};
use super::tree::Tree;
use crate::addr::{Hpa, Span};
use crate::diag::{Diagnostic, Origin};

const PATH: &str = "proc/iomem";

/// One line.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Resource {
    /// The addresses.
    pub(super) span: Span<Hpa>,
    /// Its name.
    pub(super) name: String,
    /// Index of the resource that it is part of.
    pub(super) parent: Option<usize>,
    /// The line.
    pub(super) origin: Origin,
}

/// The resources in the order of the file; none when the file is missing, or hidden from whoever read it.
pub(super) fn resources(tree: &Tree, log: &mut Log) -> Vec<Resource> {
    let Some(text) = text(tree, PATH) else {
        let message = "the capture holds no `proc/iomem`: RAM and the windows of host bridges are not known";
        log.push(Diagnostic::new(&codes::NO_IOMEM, Origin::file(PATH), message));
        return Vec::new();
    };
    let resources = read(&text, log);
    let hidden = resources.iter().all(|resource| resource.span == Span::single(Hpa::at(0)));
    if hidden && !resources.is_empty() {
        let message = format!(
            "all {} addresses are 00000000-00000000: the file was read without root",
            resources.len()
        );
        let help = "read it as root; without it RAM and the windows of host bridges are not known";
        log.push(Diagnostic::new(&codes::HIDDEN_IOMEM, Origin::file(PATH), message).help(help));
        return Vec::new();
    }
    resources
}

fn read(text: &str, log: &mut Log) -> Vec<Resource> {
    let file: Arc<str> = PATH.into();
    let mut resources: Vec<Resource> = Vec::new();
    // The resources that the next line may be part of, with their indentation.
    let mut open: Vec<(usize, usize)> = Vec::new();
    for (number, line) in lines(text) {
        let origin = Origin::line(&file, number);
        let Some((indent, span, name)) = resource(line) else {
            let message = format!("{} is no resource", quoted(line));
            log.push(Diagnostic::new(&codes::BAD_IOMEM, origin, message));
            continue;
        };
        while open.last().is_some_and(|&(above, _)| above >= indent) {
            open.pop();
        }
        let parent = open.last().map(|&(_, index)| index);
        open.push((indent, resources.len()));
        resources.push(Resource { span, name: name.to_owned(), parent, origin });
    }
    resources
}

fn resource(line: &str) -> Option<(usize, Span<Hpa>, &str)> {
    let (_, (indent, (first, _, last), _, name)) = all_consuming(resource_line).parse(line).ok()?;
    Some((indent.len(), Span::of(first, last)?, name))
}

type Line<'a> = (&'a str, (u64, char, u64), &'a str, &'a str);

fn resource_line(input: &str) -> IResult<&str, Line<'_>> {
    (space0, (hex_u64, char('-'), hex_u64), tag(" : "), rest).parse(input)
}
