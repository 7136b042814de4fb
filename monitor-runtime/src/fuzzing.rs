//! The functions that fuzz targets call. Not part of the public API: they may change in any release.

use crate::cells::labels::Labels;
use crate::logging::LoggingBuilder;
use crate::testing::written;

/// The bytes that `run` logs on this thread with these settings, at all levels.
pub fn lines(logging: &LoggingBuilder, run: impl FnOnce()) -> Vec<u8> {
    written(|memory| logging.layer_into(memory), run)
}

/// The labels of a series in the text exposition, without the closing brace.
pub fn labels(names: &[&str], values: &[&str]) -> String {
    Labels::new(names, values).text().to_owned()
}

/// The id under which a request with this `x-request-id` header is accepted.
pub fn request_id(header: &[u8]) -> Option<Vec<u8>> {
    let header = http::HeaderValue::from_bytes(header).ok()?;
    crate::http::accepted_id(header).map(|id| id.as_str().as_bytes().to_vec())
}
