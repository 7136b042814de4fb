//! Rendering of a log line: its fields, their values, and the line as a whole.

pub(super) mod callsite_cache;
pub(super) mod fields;
pub(super) mod key_values;
pub(super) mod layout;
pub(super) mod level;
pub(super) mod line;
mod pretty;
pub(super) mod redaction;
pub(super) mod source;
pub(super) mod values;
pub(super) mod visit;
