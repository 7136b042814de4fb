//! Texts of others, cut to a size, errors and contents after the rules of the log, and the bytes of what is kept.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::call::Content;
use crate::error_chain;

/// What an allocator adds to an allocation: its size, and the rest up to a multiple of 16 bytes.
pub(super) const ALLOCATION_BYTES: usize = 16;

/// The bytes that a map takes: a byte for each entry besides the entry.
pub(super) fn map_bytes<K, V, S>(map: &HashMap<K, V, S>) -> usize {
    map.capacity() * (size_of::<(K, V)>() + 1) + ALLOCATION_BYTES
}

/// The maximum size of an error's text in a node, in bytes.
pub(super) const MOST_ERROR_BYTES: usize = 1_024;

/// Replaces a text, as an output of the log replaces a field of that name; `None` leaves it as it is.
pub(crate) type TextRule = Arc<dyn Fn(&str, &str) -> Option<String> + Send + Sync>;

/// The rule of the output whose lines are kept.
static RULE: RwLock<Option<TextRule>> = RwLock::new(None);

/// Sets the rule for the texts of all errors and contents that are kept from now on.
#[cfg(feature = "logging")]
pub(super) fn set_text_rule(rule: Option<TextRule>) {
    *RULE.write().unwrap_or_else(PoisonError::into_inner) = rule;
}

/// The bytes of an error's text that [`error_text`] needs: more than are kept, so that it sees that they were cut. A rule is
/// given all of them, since it may look for the end of what it hides.
pub(super) fn error_bytes() -> usize {
    let has_rule = RULE.read().unwrap_or_else(PoisonError::into_inner).is_some();
    if has_rule { error_chain::MOST_BYTES } else { MOST_ERROR_BYTES + 1 }
}

/// The text of an error as it is kept: after the rule, and cut to its maximum size.
pub(super) fn error_text(text: &str) -> Box<str> {
    shortened(replaced("error", text).as_deref().unwrap_or(text), MOST_ERROR_BYTES)
}

/// The text of a content as it is kept: after the rule. It is cut already.
pub(super) fn content_text(content: &Content) -> Box<str> {
    replaced(content.name, &content.text).map_or_else(|| content.text.clone(), String::into_boxed_str)
}

/// A short text as it is kept: after the rule for the field of this name. It is cut already.
pub(super) fn kept_text(name: &str, text: Box<str>) -> Box<str> {
    replaced(name, &text).map_or(text, String::into_boxed_str)
}

fn replaced(name: &str, text: &str) -> Option<String> {
    let rule = RULE.read().unwrap_or_else(PoisonError::into_inner).clone();
    rule.and_then(|rule| rule(name, text))
}

/// The text, cut to at most this many bytes.
pub(super) fn shortened(text: &str, most: usize) -> Box<str> {
    if text.len() <= most {
        return text.into();
    }
    let end = (0..=most - "…".len()).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}…", &text[..end]).into()
}
