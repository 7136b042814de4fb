//! Label values and their form in the text exposition.

/// The value that takes what a full family has no room for.
pub(crate) const OVERFLOW: &str = "__overflow__";

/// A longer value is recorded under [`OVERFLOW`], so that a family's memory has a ceiling.
pub(crate) const MAX_VALUE_BYTES: usize = 256;

/// The most labels a series has.
const MOST: usize = 3;

/// The label values of one series, rendered once.
///
/// The values stand in one string, and what is compared stands first: it touches few pieces of memory.
#[derive(Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Labels {
    joined: Box<str>,
    count: usize,
    /// Where each value ends in `joined`.
    ends: [usize; MOST],
    text: Box<str>,
}

impl Labels {
    /// Pairs `names` with `values`, of which there are three at most.
    pub(crate) fn new(names: &[&str], values: &[&str]) -> Self {
        // Exact unless a value needs escapes, so that nothing is grown or shrunk.
        let bytes = values.iter().map(|value| value.len()).sum();
        let mut joined = String::with_capacity(bytes);
        // `{name="` or `,name="` before a value, and `"` behind it.
        let around: usize = names.iter().take(values.len()).map(|name| name.len() + 4).sum();
        let mut text = String::with_capacity(bytes + around);
        let mut ends = [0; MOST];
        for ((name, value), end) in names.iter().zip(values).zip(&mut ends) {
            text.push(if text.is_empty() { '{' } else { ',' });
            text.push_str(name);
            text.push_str("=\"");
            escape_into(&mut text, value);
            text.push('"');
            joined.push_str(value);
            *end = joined.len();
        }
        Self { joined: joined.into(), ends, count: values.len().min(MOST), text: text.into() }
    }

    /// The raw values, in the order of the names.
    #[inline]
    pub(crate) fn values(&self) -> impl Iterator<Item = &str> {
        let mut start = 0;
        self.ends
            .iter()
            .take(self.count)
            .map(move |&end| &self.joined[std::mem::replace(&mut start, end)..end])
    }

    /// As many of the raw values; empty where there are fewer.
    #[inline]
    pub(crate) fn first_values<const COUNT: usize>(&self) -> [&str; COUNT] {
        std::array::from_fn(|at| {
            let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
            self.joined.get(start..self.ends[at]).unwrap_or_default()
        })
    }

    /// Whether there are two values, and the second is this.
    #[inline]
    pub(crate) fn second_is(&self, value: &str) -> bool {
        self.count == 2 && self.joined.as_bytes().get(self.ends[0]..) == Some(value.as_bytes())
    }

    /// `{name="value",…`, escaped and not closed; empty without labels.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether the values are these.
    #[inline]
    pub(crate) fn are(&self, values: &[&str]) -> bool {
        match values {
            [value] => self.count == 1 && *self.joined == **value,
            [first, second] => {
                let (joined, at) = (self.joined.as_bytes(), first.len());
                let is_cut_there = self.count == 2 && self.ends[0] == at && joined.len() == at + second.len();
                is_cut_there && joined[..at] == *first.as_bytes() && joined[at..] == *second.as_bytes()
            }
            _ => self.values().eq(values.iter().copied()),
        }
    }
}

/// Appends a label value as the text format has it: `\`, `"` and line feed escaped, all else as it is. No two
/// values share an escaped form, since the three escapes are the only sequences that begin with `\`.
/// <https://prometheus.io/docs/instrumenting/exposition_formats/#comments-help-text-and-type-information>
pub(crate) fn escape_into(out: &mut String, value: &str) {
    for character in value.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn every_escape_is_told_from_the_text_it_resembles() {
        let escaped = |value| {
            let mut out = String::new();
            escape_into(&mut out, value);
            out
        };
        let values = ["\n", "\\n", "\\\n", "\\\\n", "\"", "\\\"", "\\", "\\\\", "n", "a\r\u{0}b"];
        let mut forms: Vec<_> = values.map(escaped).to_vec();
        forms.sort();
        forms.dedup();
        assert_eq!(forms.len(), values.len());
    }
}
