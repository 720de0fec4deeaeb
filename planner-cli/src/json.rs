//! JSON as it is printed: indented, in the order of the types, ended by a line break.

use serde::Serialize;

/// The value as JSON.
pub(crate) fn pretty(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("the types of outputs have string keys only");
    text.push('\n');
    text
}
