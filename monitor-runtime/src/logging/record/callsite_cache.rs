//! The parts that all lines of a callsite share, rendered once for each thread.

use std::collections::HashMap;

use foldhash::fast::FixedState;
use tracing::Metadata;

use super::fields::RenderedKey;
use super::level::rank;
use crate::families::process::LEVELS;
use crate::json;

/// The maximum number of callsites that a thread caches; beyond it, the thread clears its cache.
const KEPT: usize = 512;

/// The cached callsites of a thread, by the address of their metadata, which lives as long as the process.
#[derive(Debug, Default)]
pub(crate) struct CallsiteCache(HashMap<usize, CallsitePrefix, FixedState>);

/// The rendered parts of one callsite.
#[derive(Debug)]
pub(crate) struct CallsitePrefix {
    /// The bytes between the timestamp and the message.
    pub(crate) head: Vec<u8>,
    /// The rendered keys of the fields, in the callsite's order.
    pub(crate) keys: Vec<RenderedKey>,
}

impl CallsiteCache {
    /// The prefix of a callsite, rendered if it is not cached yet.
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
