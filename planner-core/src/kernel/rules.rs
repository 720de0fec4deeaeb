//! The rule table.
