//! A log line: its fields, the values in them, and how it is put together.

pub(super) mod callsite_cache;
pub(super) mod fields;
pub(super) mod key_values;
pub(super) mod level;
pub(super) mod line;
mod pretty;
pub(super) mod redaction;
pub(super) mod source;
pub(super) mod values;
pub(super) mod visit;
