//! The picture as the core draws it, what can be pointed at laid over it, and the address box.

use std::rc::Rc;

use planner_core::map::Rect;
use yew::prelude::*;

use crate::load;
use crate::planner::{Look, Picture};
use crate::scene::{Scene, Spot};
use crate::search;
use crate::state::Action;

#[derive(Properties, PartialEq)]
pub(crate) struct Props {
    pub(crate) look: Rc<Look>,
    pub(crate) selected: Option<usize>,
    pub(crate) search: AttrValue,
    pub(crate) act: Callback<Action>,
}

#[component]
pub(crate) fn AddressMap(props: &Props) -> Html {
    let Some(picture) = &props.look.picture else { return Html::default() };
    let scene = Scene::new(picture);
    html! {
        <>
            { address_box(props, picture, &scene) }
            { details(props, &scene) }
            <figure class="map">
                <Drawing svg={AttrValue::from(picture.svg.clone())} />
                { overlay(props, picture, &scene) }
            </figure>
            <p>
                <a class="button" download="map.svg" href={data_url(&picture.svg)}>{ "Save as SVG" }</a>
            </p>
        </>
    }
}

#[derive(Properties, PartialEq)]
struct DrawingProps {
    svg: AttrValue,
}

/// The SVG exactly as the core made it. Everything in it that comes from a text is escaped there.
#[component]
fn Drawing(props: &DrawingProps) -> Html {
    html! { <div class="drawing" id="drawing">{ Html::from_html_unchecked(props.svg.clone()) }</div> }
}

fn overlay(props: &Props, picture: &Picture, scene: &Scene) -> Html {
    let found = search::address(&props.search).and_then(|address| scene.strip(&picture.map, address));
    html! {
        <svg class="overlay" viewBox={format!("0 0 {} {}", scene.width, scene.height)}>
            if let Some(Rect { x, y, width, height }) = found {
                <rect
                    class="found"
                    x={x.to_string()}
                    y={y.to_string()}
                    width={width.to_string()}
                    height={height.to_string()}
                />
            }
            for (number, spot) in scene.spots.iter().enumerate() {
                { spot_box(props, number, spot) }
            }
        </svg>
    }
}

/// A band that can be pointed at, with mouse and keyboard.
fn spot_box(props: &Props, number: usize, spot: &Spot) -> Html {
    let chosen = props.selected == Some(number);
    let next = if chosen { None } else { Some(number) };
    let words = spot.band.words(spot.lane);
    let act = props.act.clone();
    let press = Callback::from(move |event: KeyboardEvent| {
        if matches!(event.key().as_str(), "Enter" | " ") {
            event.prevent_default();
            act.emit(Action::Select(next));
        }
    });
    let Rect { x, y, width, height } = spot.place;
    html! {
        <rect
            key={spot.id.clone()}
            class={classes!("spot", chosen.then_some("chosen"))}
            x={x.to_string()}
            y={y.to_string()}
            width={width.to_string()}
            height={height.to_string()}
            rx="4"
            role="button"
            tabindex="0"
            aria-label={words.clone()}
            aria-pressed={chosen.to_string()}
            onclick={props.act.reform(move |_| Action::Select(next))}
            onkeydown={press}
        >
            <title>{ words }</title>
        </rect>
    }
}

fn address_box(props: &Props, picture: &Picture, scene: &Scene) -> Html {
    let write = props.act.reform(|event: InputEvent| Action::Search(load::text_of(&event)));
    let found = search::address(&props.search);
    let owners: Vec<&Spot> =
        found.map_or(Vec::new(), |address| scene.owners(address).map(|(_, spot)| spot).collect());
    let beyond = found.is_some_and(|address| scene.strip(&picture.map, address).is_none());
    html! {
        <div class="address-box">
            <label class="field" for="address">{ "Who owns an address?" }</label>
            <input
                id="address"
                type="text"
                placeholder="0xfee0_0000, 128M, or a line of a log"
                value={props.search.clone()}
                oninput={write}
            />
            <output id="owners" for="address">
                if let Some(address) = found {
                    if owners.is_empty() {
                        <span>{ format!("{address}: nobody") }{ if beyond { ", beyond the picture" } else { "" } }</span>
                    } else {
                        for spot in owners {
                            <span>{ format!("{address}: {}", spot.band.words(spot.lane)) }</span>
                        }
                    }
                }
            </output>
        </div>
    }
}

fn details(props: &Props, scene: &Scene) -> Html {
    let chosen = props.selected.and_then(|number| scene.spots.get(number));
    html! {
        <p id="details" class="details" role="status">
            if let Some(spot) = chosen {
                { spot.band.words(spot.lane) }
            } else {
                <span class="soft">{ "Point at a band, or press Tab and Enter, to see why it is there." }</span>
            }
        </p>
    }
}

/// The picture as a link that a browser saves: its bytes, percent-encoded (RFC 3986).
fn data_url(svg: &str) -> String {
    let mut url = String::from("data:image/svg+xml;charset=utf-8,");
    for byte in svg.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => url.push(char::from(byte)),
            _ => url.push_str(&format!("%{byte:02X}")),
        }
    }
    url
}
