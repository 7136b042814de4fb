//! What the fuzz targets reach and users do not. No part of the public API: it may change in any release.

use crate::cells::labels::Labels;
use crate::logging::LoggingBuilder;
use crate::testing::written;

/// What `run` logs on this thread, as an output with these settings is given it, whatever the level.
pub fn lines(logging: &LoggingBuilder, run: impl FnOnce()) -> Vec<u8> {
    written(|memory| logging.layer_into(memory), run)
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
