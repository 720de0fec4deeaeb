//! What the page may do: its content security policy.
//!
//! Nothing inline and nothing foreign. The one exception is the style sheet inside every picture, allowed by its
//! hash. The page fetches its own WebAssembly; then `boot.js` adds `connect-src 'none'`, and from there on nothing
//! can leave the page.

use planner_core::map;

use base64::prelude::{BASE64_STANDARD, Engine};
use sha2::{Digest, Sha256};

/// The policy, for the page and for the header.
pub(crate) fn of_page() -> String {
    let style = BASE64_STANDARD.encode(Sha256::digest(style_element().as_bytes()));
    [
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        &format!("style-src 'self' 'sha256-{style}'"),
        "img-src data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    .join("; ")
}

/// What stands between `<style>` and `</style>` of a picture: browsers hash it to the byte.
fn style_element() -> String {
    format!("\n{}", map::style())
}
