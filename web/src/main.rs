//! The browser planner: the same core as the command, compiled to WebAssembly. Nothing leaves the page.
//!
//! `state` holds what the page knows and how it changes, `planner` asks the core, `scene` lays what can be pointed at
//! over the picture; these are pure. `load` is the only file that touches the browser; `components` draw.

mod app;
mod components;
mod examples;
mod load;
mod planner;
mod scene;
mod search;
mod state;

fn main() {
    load::mount();
}
