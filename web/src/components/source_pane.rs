//! One of the two texts, with line numbers, and below it what is wrong with it.

use std::collections::BTreeSet;
use std::rc::Rc;

use planner_core::diag::Severity;
use yew::prelude::*;

use crate::load;
use crate::planner::{Fault, Look, Side};
use crate::state::Action;

#[derive(Properties, PartialEq)]
pub(crate) struct Props {
    pub(crate) side: Side,
    pub(crate) text: AttrValue,
    pub(crate) look: Rc<Look>,
    pub(crate) act: Callback<Action>,
}

#[component]
pub(crate) fn SourcePane(props: &Props) -> Html {
    let area = use_node_ref();
    let (name, faults) = match props.side {
        Side::Host => ("host", &props.look.host),
        Side::Guest => ("guest", &props.look.guest),
    };
    let side = props.side;
    let edit = props.act.reform(move |event: InputEvent| Action::Edit(side, load::text_of(&event)));
    let lines = props.text.lines().count().max(1) + 1;
    let longest = props.text.lines().map(|line| line.chars().count()).max().unwrap_or(0) + 2;
    let described_by = format!("{name}-faults");
    html! {
        <section class="source" aria-label={format!("Description of the {name}")}>
            <h2><label for={name}>{ name }</label></h2>
            <div class="paper">
                { gutter(lines, faults) }
                <textarea
                    id={name}
                    ref={area.clone()}
                    rows={lines.to_string()}
                    cols={longest.to_string()}
                    wrap="off"
                    spellcheck="false"
                    autocomplete="off"
                    aria-describedby={described_by.clone()}
                    aria-invalid={faults.iter().any(is_error).to_string()}
                    value={props.text.clone()}
                    oninput={edit}
                />
            </div>
            <ul class="faults" id={described_by} aria-live="polite">
                for fault in faults {
                    { fault_item(fault, &area) }
                }
            </ul>
        </section>
    }
}

fn is_error(fault: &Fault) -> bool {
    fault.severity == Severity::Error
}

/// Line numbers; those of lines with faults are marked.
fn gutter(lines: usize, faults: &[Fault]) -> Html {
    let of = |errors: bool| -> BTreeSet<usize> {
        faults.iter().filter(|fault| is_error(fault) == errors).filter_map(|fault| fault.line).collect()
    };
    let (errors, others) = (of(true), of(false));
    let class = |line: &usize| match (errors.contains(line), others.contains(line)) {
        (true, _) => "error",
        (_, true) => "warning",
        _ => "",
    };
    html! {
        <div class="gutter" aria-hidden="true">
            for line in 1..=lines {
                <span class={class(&line)}>{ line }</span>
            }
        </div>
    }
}

fn fault_item(fault: &Fault, area: &NodeRef) -> Html {
    let place = fault.line.map(|line| {
        let (area, range) = (area.clone(), fault.range);
        let go = Callback::from(move |_: MouseEvent| load::select(&area, range, line));
        html! { <button type="button" class="place" onclick={go}>{ format!("line {line}") }</button> }
    });
    html! {
        <li class={fault.severity.to_string()}>
            <p>
                <strong>{ fault.severity.to_string() }</strong>
                { " " }<code title={fault.title}>{ fault.code }</code>
                { " " }{ place }
                { " " }{ &fault.message }
                if !fault.label.is_empty() {
                    <span class="soft">{ format!(" ({})", fault.label) }</span>
                }
            </p>
            for (word, text) in &fault.more {
                <p class={*word}><em>{ *word }</em>{ " " }{ text }</p>
            }
        </li>
    }
}
