//! What the page is made of: values in, callbacks out.

pub(crate) mod address_map;
pub(crate) mod answer;
pub(crate) mod band_table;
pub(crate) mod configuration;
pub(crate) mod source_pane;
pub(crate) mod toolbar;
