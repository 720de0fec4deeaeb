//! The verdict with its reasons, and below it the tabs.

use std::rc::Rc;

use planner_core::plan::Reason;
use yew::prelude::*;

use super::address_map::AddressMap;
use super::band_table::BandTable;
use super::configuration::Configuration;
use crate::load;
use crate::planner::{Fix, Look, Verdict};
use crate::state::{Action, Tab};

#[derive(Properties, PartialEq)]
pub(crate) struct Props {
    pub(crate) look: Rc<Look>,
    pub(crate) tab: Tab,
    pub(crate) selected: Option<usize>,
    pub(crate) search: AttrValue,
    pub(crate) act: Callback<Action>,
}

#[component]
pub(crate) fn Answer(props: &Props) -> Html {
    let look = &props.look;
    html! {
        <div class="answer">
            { verdict(look) }
            { tabs(props) }
            <section id="panel" role="tabpanel" aria-labelledby={tab_id(props.tab)} tabindex="0">
                { panel(props) }
            </section>
        </div>
    }
}

fn panel(props: &Props) -> Html {
    let look = &props.look;
    match (props.tab, &look.picture) {
        (Tab::Configuration, _) => {
            html! { <Configuration look={look.clone()} act={props.act.clone()} /> }
        }
        (_, None) => html! { <p class="soft">{ "There is no picture until the host can be read." }</p> },
        (Tab::Picture, Some(_)) => html! {
            <AddressMap
                look={look.clone()}
                selected={props.selected}
                search={props.search.clone()}
                act={props.act.clone()}
            />
        },
        (Tab::Table, Some(picture)) => html! { <BandTable picture={picture.clone()} /> },
    }
}

/// How it ended, why, and what would help.
fn verdict(look: &Look) -> Html {
    let (word, badge) = match look.verdict {
        Verdict::Fits => ("fits", "fits"),
        Verdict::FitsWithOptions => ("fits-with-options", "fits with options"),
        Verdict::Impossible => ("impossible", "no layout"),
        Verdict::Unreadable => ("unreadable", "not planned"),
    };
    html! {
        <section id="verdict" class={classes!("verdict", word)} data-verdict={word} aria-label="Verdict">
            <p class="headline" role="status">
                <strong class="badge">{ badge }</strong>{ " " }{ &look.headline }
            </p>
            { reasons("causes", "Because", &look.causes) }
            { reasons("also", "Also, each enough by itself", &look.also) }
            { fixes(&look.fixes) }
            { options(look) }
            { reasons("warnings", "Worth knowing", &look.warnings) }
        </section>
    }
}

fn reasons(id: &'static str, title: &str, reasons: &[Reason]) -> Html {
    if reasons.is_empty() {
        return Html::default();
    }
    html! {
        <>
            <h3>{ title }</h3>
            <ul {id} class="reasons">
                for reason in reasons {
                    <li>
                        { &reason.because }{ " " }<code>{ &reason.rule }</code>
                        if !reason.origin.is_empty() && reason.origin != reason.rule {
                            <span class="soft">{ format!(" {}", reason.origin) }</span>
                        }
                    </li>
                }
            </ul>
        </>
    }
}

fn fixes(fixes: &[Fix]) -> Html {
    if fixes.is_empty() {
        return Html::default();
    }
    html! {
        <>
            <h3>{ "What would help" }<span class="soft">{ " each planned and verified" }</span></h3>
            <ol id="fixes" class="reasons">
                for fix in fixes {
                    <li>
                        { &fix.change }
                        for option in &fix.options {
                            { " " }<code>{ option }</code>
                        }
                    </li>
                }
            </ol>
        </>
    }
}

fn options(look: &Look) -> Html {
    if look.options.is_empty() {
        return Html::default();
    }
    html! {
        <>
            <h3>{ "Options" }</h3>
            <ul id="options" class="reasons">
                for option in &look.options {
                    <li><code>{ &option.flag }</code>{ " " }{ &option.why }</li>
                }
            </ul>
        </>
    }
}

fn tab_id(tab: Tab) -> String {
    format!("tab-{}", tab_name(tab).to_lowercase())
}

fn tab_name(tab: Tab) -> &'static str {
    Tab::ALL.iter().find(|(other, _)| *other == tab).map_or("", |(_, name)| name)
}

/// Tabs as the ARIA practices describe them: one is in the tab order, arrows move between them.
fn tabs(props: &Props) -> Html {
    let current = Tab::ALL.iter().position(|(tab, _)| *tab == props.tab).unwrap_or(0);
    let act = props.act.clone();
    let turn = Callback::from(move |event: KeyboardEvent| {
        let count = Tab::ALL.len();
        let next = match event.key().as_str() {
            "ArrowRight" => (current + 1) % count,
            "ArrowLeft" => (current + count - 1) % count,
            "Home" => 0,
            "End" => count - 1,
            _ => return,
        };
        event.prevent_default();
        if let Some((tab, _)) = Tab::ALL.get(next) {
            act.emit(Action::Show(*tab));
            load::focus(&tab_id(*tab));
        }
    });
    html! {
        <div class="tabs" role="tablist" aria-label="What to show" onkeydown={turn}>
            for (tab, name) in Tab::ALL {
                <button
                    type="button"
                    role="tab"
                    id={tab_id(tab)}
                    aria-controls="panel"
                    aria-selected={(tab == props.tab).to_string()}
                    tabindex={if tab == props.tab { "0" } else { "-1" }}
                    onclick={props.act.reform(move |_| Action::Show(tab))}
                >{ name }</button>
            }
        </div>
    }
}
