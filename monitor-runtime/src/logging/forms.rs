//! What all lines of one callsite have in common, rendered once a thread.

use std::collections::HashMap;

use foldhash::fast::FixedState;
use tracing::Metadata;

use super::fields::KeyForm;
use super::line::rank;
use crate::families::process::LEVELS;
use crate::json;

/// A thread that has met more callsites than these forgets them all and begins anew.
const KEPT: usize = 512;

/// The callsites that a thread has met, by where their metadata stands.
#[derive(Debug, Default)]
pub(super) struct Forms(HashMap<usize, Form, FixedState>);

/// One callsite.
#[derive(Debug)]
pub(super) struct Form {
    /// What stands between the timestamp and the message.
    pub(super) head: Vec<u8>,
    /// One a field, in the callsite's order.
    pub(super) keys: Vec<KeyForm>,
}

impl Forms {
    /// The form of a callsite, rendered if the thread meets it for the first time.
    pub(super) fn of(&mut self, metadata: &'static Metadata<'static>) -> &Form {
        let place = std::ptr::from_ref(metadata).addr();
        if self.0.len() >= KEPT && !self.0.contains_key(&place) {
            self.0.clear();
        }
        self.0.entry(place).or_insert_with(|| Form::new(metadata))
    }
}

impl Form {
    fn new(metadata: &Metadata<'_>) -> Self {
        let mut head = Vec::new();
        write_head(&mut head, rank(*metadata.level()), metadata.target());
        Self { head, keys: metadata.fields().iter().map(|field| KeyForm::new(field.name())).collect() }
    }
}

/// Appends what stands between the timestamp and the message.
pub(super) fn write_head(out: &mut Vec<u8>, level: usize, logger: &str) {
    out.extend_from_slice(b"\",\"level\":\"");
    out.extend_from_slice(LEVELS[level].as_bytes());
    out.extend_from_slice(b"\",\"logger\":");
    json::write_str(out, logger);
    out.extend_from_slice(b",\"event\":");
}
