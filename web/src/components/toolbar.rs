//! The top of the page: what it is, examples, and opening a file.

use gloo::file::callbacks::FileReader;
use yew::prelude::*;

use crate::examples::EXAMPLES;
use crate::load;
use crate::state::Action;

#[derive(Properties, PartialEq)]
pub(crate) struct Props {
    pub(crate) example: Option<usize>,
    pub(crate) notice: Option<AttrValue>,
    pub(crate) act: Callback<Action>,
}

#[component]
pub(crate) fn Toolbar(props: &Props) -> Html {
    // Held until the file is read; dropping it would stop the reading.
    let reading = use_mut_ref(|| None::<FileReader>);
    let choose = {
        let act = props.act.clone();
        Callback::from(move |event: Event| {
            if let Some(index) = load::choice_of(&event) {
                act.emit(Action::Choose(index));
            }
        })
    };
    let open = {
        let act = props.act.clone();
        Callback::from(move |event: Event| {
            let done = act.reform(|(name, bytes)| Action::Open(name, bytes));
            *reading.borrow_mut() = load::read_file(&event, done);
        })
    };
    html! {
        <header class="toolbar">
            <div class="name">
                <h1>{ "Guest-layout planner" }</h1>
                <p>{ "Runs in this page. Nothing you type or open leaves it." }</p>
            </div>
            <label class="field">
                <span>{ "Example" }</span>
                <select id="example" onchange={choose}>
                    if props.example.is_none() {
                        <option value="" selected={true} disabled={true}>{ "your own" }</option>
                    }
                    for (index, example) in EXAMPLES.iter().enumerate() {
                        <option value={index.to_string()} selected={props.example == Some(index)}>{ example.title }</option>
                    }
                </select>
            </label>
            <label class="field">
                <span>{ "Open a capture or a description" }</span>
                <input id="open" type="file" accept=".gz,.tgz,.tar,.host,.guest,text/plain" onchange={open} />
            </label>
            if let Some(notice) = &props.notice {
                <p class="notice" role="status">{ notice }</p>
            }
        </header>
    }
}
