//! Everything that has an identifier: diagnostics, rules, checks.

use planner_core::diag::Code;

use planner_core::verify::CHECKS;
use planner_core::{emit, guest, host, kernel, plan, read, vmm};

use super::Explanation;
use crate::codes;

/// The explanation of a code, a rule or a check, in any case of letters.
pub(super) fn explain(id: &str) -> Option<Explanation> {
    let same = |known: &str| known.eq_ignore_ascii_case(id);
    diagnostics()
        .find(|code| same(code.id))
        .map(of_code)
        .or_else(|| kernel::rules::RULES.iter().find(|rule| same(rule.id)).map(of_kernel_rule))
        .or_else(|| vmm::rules::RULES.iter().find(|rule| same(rule.id)).map(of_vmm_rule))
        .or_else(|| plan::rules::RULES.iter().find(|rule| same(rule.id)).map(of_plan_rule))
        .or_else(|| CHECKS.iter().find(|(code, _)| same(code)).map(|&(code, states)| of_check(code, states)))
}

/// Identifiers that begin alike, at most eight.
pub(super) fn near(asked: &str) -> Vec<&'static str> {
    let head: String = asked.chars().take(3).collect::<String>().to_ascii_uppercase();
    let ids = diagnostics()
        .map(|code| code.id)
        .chain(kernel::rules::RULES.iter().map(|rule| rule.id))
        .chain(vmm::rules::RULES.iter().map(|rule| rule.id))
        .chain(plan::rules::RULES.iter().map(|rule| rule.id))
        .chain(CHECKS.iter().map(|(code, _)| *code));
    let mut near: Vec<&str> = ids.filter(|id| head.len() == 3 && id.starts_with(&head)).collect();
    near.sort_unstable();
    near.truncate(8);
    near
}

/// Every kind of diagnostic.
fn diagnostics() -> impl Iterator<Item = &'static Code> {
    let replays = kernel::conformance::codes::CODES;
    let rooms = [host::codes::CODES, replays, guest::codes::CODES, emit::CODES, codes::CODES];
    read::codes().chain(rooms.into_iter().flatten().copied())
}

fn of_code(code: &'static Code) -> Explanation {
    explanation(
        code.id,
        format!("{} ({}): {}", code.id, code.severity, code.title),
        vec![code.explanation.into()],
    )
}

fn of_kernel_rule(rule: &'static kernel::rules::Rule) -> Explanation {
    let text = rule.explanation();
    let mut parts = text.trim_end().split("\n\n").map(str::to_owned);
    let title = parts.next().unwrap_or_default();
    explanation(rule.id, title, parts.collect())
}

fn of_vmm_rule(rule: &'static vmm::rules::VmmRule) -> Explanation {
    let text = vec![rule.explanation.into(), format!("source: {}", rule.source)];
    explanation(rule.id, format!("{}: {}", rule.id, rule.title), text)
}

fn of_plan_rule(rule: &'static plan::rules::PlanRule) -> Explanation {
    explanation(rule.id, format!("{}: {}", rule.id, rule.title), vec![rule.explanation.into()])
}

fn of_check(code: &'static str, states: &'static str) -> Explanation {
    let text = "A check of the verifier, which shares no code with the search. `planner check` prints it for any plan; \
                where the planner's own plan violates it, that is a bug in planner.";
    explanation(code, format!("{code}: {states}"), vec![text.into()])
}

fn explanation(id: &str, title: String, text: Vec<String>) -> Explanation {
    Explanation { subject: id.into(), title, text, owners: Vec::new() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_code_stands_for_two_things() {
        let mut seen = BTreeSet::new();
        let twice: Vec<&str> = diagnostics().map(|code| code.id).filter(|&id| !seen.insert(id)).collect();
        assert_eq!(twice, Vec::<&str>::new());
    }

    #[test]
    fn rules_of_all_rooms_are_explained() {
        for id in ["k-swmsi", "H-P2PWIN", "M-QEMU-VIRT-RAM", "P-AVOID", "V002", "A001", "E001", "H001"] {
            let found = explain(id).map(|found| found.title).unwrap_or_default();
            assert!(found.starts_with(&id.to_ascii_uppercase()), "{id}: {found}");
        }
    }
}
