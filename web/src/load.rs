//! The browser: the only file that touches it.

use gloo::file::callbacks::{FileReader, read_as_bytes};
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement, HtmlInputElement, HtmlSelectElement, HtmlTextAreaElement};
use yew::prelude::*;

use crate::app::App;

/// Puts the page into the element that waits for it.
pub(crate) fn mount() {
    let root: Option<Element> = gloo::utils::document().get_element_by_id("app");
    match root {
        Some(root) => yew::Renderer::<App>::with_root(root).render(),
        None => yew::Renderer::<App>::new().render(),
    };
}

/// What stands in the text area that an event is about.
pub(crate) fn text_of(event: &InputEvent) -> AttrValue {
    let text = event.target_dyn_into::<HtmlTextAreaElement>().map(|area| area.value());
    let line = || event.target_dyn_into::<HtmlInputElement>().map(|input| input.value());
    text.or_else(line).unwrap_or_default().into()
}

/// Which entry of a menu was chosen, by its value.
pub(crate) fn choice_of(event: &Event) -> Option<usize> {
    event.target_dyn_into::<HtmlSelectElement>()?.value().parse().ok()
}

/// Reads the file that was chosen, and hands on its name and bytes. Reading stops when the reader is dropped.
pub(crate) fn read_file(event: &Event, done: Callback<(String, Vec<u8>)>) -> Option<FileReader> {
    let input = event.target_dyn_into::<HtmlInputElement>()?;
    let file = gloo::file::File::from(input.files()?.get(0)?);
    // The same file can be chosen again.
    input.set_value("");
    let name = file.name();
    Some(read_as_bytes(&file, move |bytes| done.emit((name, bytes.unwrap_or_default()))))
}

/// Selects a stretch of a text area, and brings it into view.
pub(crate) fn select(area: &NodeRef, range: (u32, u32), line: usize) {
    let Some(area) = area.cast::<HtmlTextAreaElement>() else { return };
    // A browser that refuses to select still shows the line.
    let _ = area.set_selection_range(range.0, range.1.max(range.0));
    let _ = area.focus();
    scroll_to_line(&area, line);
}

/// The area is as tall as its text; what scrolls is the box around it.
fn scroll_to_line(area: &HtmlTextAreaElement, line: usize) {
    let Some(scroller) = area.closest(".paper").ok().flatten() else { return };
    let lines = area.value().lines().count().max(1);
    let height = usize::try_from(area.offset_height()).unwrap_or(0);
    let top = height.saturating_mul(line.saturating_sub(3)) / lines;
    scroller.set_scroll_top(i32::try_from(top).unwrap_or(0));
}

/// Moves the focus to the element with this id.
pub(crate) fn focus(id: &str) {
    let element = gloo::utils::document().get_element_by_id(id);
    if let Some(element) = element.and_then(|element| element.dyn_into::<HtmlElement>().ok()) {
        // There is nothing to do about an element that takes no focus.
        let _ = element.focus();
    }
}

/// Puts a text on the clipboard. Browsers may ask the reader first.
pub(crate) fn copy(text: &str) {
    let clipboard = gloo::utils::window().navigator().clipboard();
    // The promise is not awaited: a reader who refuses knows it.
    let _ = clipboard.write_text(text);
}
