//! Texts of others, cut to a size, and the bytes of what is kept.

use std::collections::HashMap;

/// What an allocator adds to an allocation: its size, and the rest up to a multiple of 16 bytes.
pub(super) const ALLOCATION_BYTES: usize = 16;

/// The bytes that a map takes: a byte for each entry besides the entry.
pub(super) fn map_bytes<K, V, S>(map: &HashMap<K, V, S>) -> usize {
    map.capacity() * (size_of::<(K, V)>() + 1) + ALLOCATION_BYTES
}

/// The maximum size of an error's text in a node, in bytes.
pub(super) const MOST_ERROR_BYTES: usize = 1_024;

/// The text, cut to at most this many bytes.
pub(super) fn shortened(text: &str, most: usize) -> Box<str> {
    if text.len() <= most {
        return text.into();
    }
    let end = (0..=most - "…".len()).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}…", &text[..end]).into()
}
