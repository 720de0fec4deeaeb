//! What more is wrong with a text that could not be read whole: whoever made ten mistakes is told ten.
//!
//! Facts that were not understood are missing here, and what is missing must not be told as a second fault. So only
//! those contradictions count that stand between facts which are there, and a name counts as undefined only where the
//! text uses it and never says it anywhere else.

use super::codes;
use super::resolve::resolve;
use crate::diag::{Diagnostic, Origin, Severity};
use crate::facts::HostFacts;

/// The errors among the facts of a text whose reading found errors already.
#[must_use]
pub fn faults_besides(facts: &HostFacts, text: &str) -> Vec<Diagnostic> {
    let (_, mut found) = resolve(facts);
    found.retain(|fault| fault.code.severity == Severity::Error && fault.origin != Origin::Unstated);
    let names: Vec<Option<String>> = found.iter().map(undefined).collect();
    let uses = |name: &String| names.iter().flatten().filter(|other| *other == name).count();
    let mut stands = names.iter().map(|name| match name {
        Some(name) => said(text, name) <= uses(name),
        None => true,
    });
    found.retain(|_| stands.next().unwrap_or(true));
    found
}

/// The name that a fault calls undefined.
fn undefined(fault: &Diagnostic) -> Option<String> {
    let name = || fault.message.split('`').nth(1).map(str::to_owned);
    (fault.code == &codes::UNKNOWN_NAME).then(name).flatten()
}

/// How often a text says a name, as a whole word.
fn said(text: &str, name: &str) -> usize {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    text.match_indices(name)
        .filter(|(at, _)| {
            let before = text.get(..*at).and_then(|text| text.chars().next_back());
            let behind = text.get(at.saturating_add(name.len())..).and_then(|text| text.chars().next());
            !before.is_some_and(is_part) && !behind.is_some_and(is_part)
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::faults_besides;
    use crate::read::language;

    fn told(text: &str) -> Vec<String> {
        let (facts, found) = language::parse_host("board", text);
        assert!(!found.is_empty(), "the text shall have a fault of its own");
        faults_besides(&facts, text).into_iter().map(|fault| fault.message).collect()
    }

    #[test]
    fn a_name_that_nothing_defines_is_told_beside_a_spelling_mistake() {
        let text = "host board { smmu s { model smuv3 } root-complex r { smmu smmu7 } }";
        assert_eq!(told(text), ["there is no smmu named `smmu7`"]);
    }

    #[test]
    fn a_name_whose_definition_was_not_understood_is_no_second_fault() {
        let text = "host board { smu s { model smmuv3 } root-complex r { smmu s } }";
        assert_eq!(told(text), [""; 0]);
    }

    #[test]
    fn banks_that_overlap_are_told_beside_a_spelling_mistake() {
        let text = "host board { ram 0 + 2G ram 1G + 1G smmu s { model smuv3 } }";
        assert_eq!(told(text).len(), 1);
    }
}
