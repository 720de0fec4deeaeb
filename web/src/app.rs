//! The page: one state, and the components that show its parts.

use yew::prelude::*;

use crate::components::answer::Answer;
use crate::components::source_pane::SourcePane;
use crate::components::toolbar::Toolbar;
use crate::planner::Side;
use crate::state::{Action, State};

#[component]
pub(crate) fn App() -> Html {
    let state = use_reducer_eq(|| State::with_example(0));
    let act = {
        let dispatcher = state.dispatcher();
        use_callback((), move |action: Action, ()| dispatcher.dispatch(action))
    };
    html! {
        <>
            <Toolbar example={state.example} notice={state.notice.clone()} act={act.clone()} />
            <main>
                <div class="sources">
                    <SourcePane side={Side::Host} text={state.host.clone()} look={state.look.clone()} act={act.clone()} />
                    <SourcePane side={Side::Guest} text={state.guest.clone()} look={state.look.clone()} act={act.clone()} />
                </div>
                <Answer
                    look={state.look.clone()}
                    tab={state.tab}
                    selected={state.selected}
                    search={state.search.clone()}
                    {act}
                />
            </main>
        </>
    }
}
