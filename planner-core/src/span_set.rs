//! Sets of spans.
