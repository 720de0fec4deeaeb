//! The bands as a table: all that the picture shows, for those who do not see it or want to read it.

use planner_core::map::{Band, Lane};
use yew::prelude::*;

use crate::planner::Picture;

#[derive(Properties, PartialEq)]
pub(crate) struct Props {
    pub(crate) picture: Picture,
}

#[component]
pub(crate) fn BandTable(props: &Props) -> Html {
    html! {
        for lane in props.picture.map.lanes.iter().filter(|lane| !lane.bands.is_empty()) {
            { table(lane) }
        }
    }
}

fn table(lane: &Lane) -> Html {
    html! {
        <div class="scroll">
            <table>
                <caption>{ lane.kind.title() }{ " " }<span class="soft">{ lane.kind.subtitle() }</span></caption>
                <thead>
                    <tr>
                        for heading in ["addresses", "size", "name", "kind", "why"] {
                            <th scope="col">{ heading }</th>
                        }
                    </tr>
                </thead>
                <tbody>
                    for band in &lane.bands {
                        { row(band) }
                    }
                </tbody>
            </table>
        </div>
    }
}

fn row(band: &Band) -> Html {
    html! {
        <tr class={classes!(band.conflict.then_some("conflict"))}>
            <td><code>{ band.span.to_string() }</code></td>
            <td class="size">{ band.size() }</td>
            <td>{ &band.name }</td>
            <td>{ band.kind.legend() }</td>
            <td>
                if band.conflict {
                    <strong>{ "conflict " }</strong>
                }
                { &band.because }{ " " }
                if !band.rule.is_empty() {
                    <code>{ &band.rule }</code>
                }
                { " " }<span class="soft">{ &band.origin }</span>
            </td>
        </tr>
    }
}
