//! The configuration that the core emits, a file each, to be copied.

use std::rc::Rc;

use planner_core::emit::OutputFile;
use yew::prelude::*;

use crate::load;
use crate::planner::Look;
use crate::state::Action;

#[derive(Properties, PartialEq)]
pub(crate) struct Props {
    pub(crate) look: Rc<Look>,
    pub(crate) act: Callback<Action>,
}

#[component]
pub(crate) fn Configuration(props: &Props) -> Html {
    if props.look.files.is_empty() {
        return html! { <p class="soft">{ "There is no configuration without a layout." }</p> };
    }
    html! {
        for file in &props.look.files {
            { article(file, &props.act) }
        }
    }
}

fn article(file: &OutputFile, act: &Callback<Action>) -> Html {
    let (name, text, act) = (file.file.clone(), file.text.clone(), act.clone());
    let copy = Callback::from(move |_: MouseEvent| {
        load::copy(&text);
        act.emit(Action::Notice(format!("{name} is on the clipboard").into()));
    });
    html! {
        <article class="file" key={file.file.clone()}>
            <h3>{ &file.file }
                <button type="button" class="button" onclick={copy} aria-label={format!("Copy {}", file.file)}>
                    { "Copy" }
                </button>
            </h3>
            <pre tabindex="0">{ &file.text }</pre>
        </article>
    }
}
