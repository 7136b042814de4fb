//! The parts that all lines of one callsite share, rendered once a thread.

use std::collections::HashMap;

use foldhash::fast::FixedState;
use tracing::Metadata;

use super::fields::RenderedKey;
use super::level::rank;
use crate::families::process::LEVELS;
use crate::json;

/// A thread that has met more callsites than these forgets them all and begins anew.
const KEPT: usize = 512;

/// The callsites that a thread has met, by the address of their metadata, which lives as long as the process.
#[derive(Debug, Default)]
pub(crate) struct CallsiteCache(HashMap<usize, CallsitePrefix, FixedState>);

/// One callsite.
#[derive(Debug)]
pub(crate) struct CallsitePrefix {
    /// The bytes between the timestamp and the message.
    pub(crate) head: Vec<u8>,
    /// One a field, in the callsite's order.
    pub(crate) keys: Vec<RenderedKey>,
}

impl CallsiteCache {
    /// The form of a callsite, rendered if the thread meets it for the first time.
    pub(crate) fn get(&mut self, metadata: &'static Metadata<'static>) -> &CallsitePrefix {
        let address = std::ptr::from_ref(metadata).addr();
        if self.0.len() >= KEPT && !self.0.contains_key(&address) {
            self.0.clear();
        }
        self.0.entry(address).or_insert_with(|| CallsitePrefix::new(metadata))
    }
}

impl CallsitePrefix {
    fn new(metadata: &Metadata<'_>) -> Self {
        let mut head = Vec::new();
        write_head(&mut head, rank(*metadata.level()), metadata.target());
        Self { head, keys: metadata.fields().iter().map(|field| RenderedKey::new(field.name())).collect() }
    }
}

/// Appends the bytes between the timestamp and the message.
pub(crate) fn write_head(out: &mut Vec<u8>, level: usize, logger: &str) {
    out.extend_from_slice(b"\",\"level\":\"");
    out.extend_from_slice(LEVELS[level].as_bytes());
    out.extend_from_slice(b"\",\"logger\":");
    json::write_str(out, logger);
    out.extend_from_slice(b",\"event\":");
}
