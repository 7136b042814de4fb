//! What the fuzz targets reach and users do not. No part of the public API: it may change in any release.

use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::layer::SubscriberExt as _;

use crate::logging::{LogLayer, Logging, Sink};
use crate::registry::Labels;

/// What `run` logs on this thread, as an output with these settings is given it, whatever the level.
pub fn lines(logging: &Logging, run: impl FnOnce()) -> Vec<u8> {
    let memory = Memory::default();
    let subscriber = tracing_subscriber::registry().with(LogLayer::as_set(memory.clone(), logging));
    tracing::subscriber::with_default(subscriber, run);
    std::mem::take(&mut memory.0.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The labels of a series in the text exposition, not closed.
pub fn labels(names: &[&str], values: &[&str]) -> String {
    Labels::new(names, values).text().to_owned()
}

/// The id that a request with this header `x-request-id` is taken under.
pub fn request_id(header: &[u8]) -> Option<Vec<u8>> {
    let header = http::HeaderValue::from_bytes(header).ok()?;
    crate::http::accepted_id(header).map(|id| id.as_str().as_bytes().to_vec())
}

/// Lines kept where they are.
#[derive(Clone, Debug, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Sink for Memory {
    fn push(&self, line: [&[u8]; 2]) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for part in line {
            lines.extend_from_slice(part);
        }
    }
}
