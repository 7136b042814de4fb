//! The label values of a series, kept raw and as the text exposition shows them.

/// The label value that stands for every value a family has no room for.
pub(crate) const OVERFLOW: &str = "__overflow__";

/// A value longer than this is recorded under [`OVERFLOW`], which bounds the memory of a family.
pub(crate) const MAX_VALUE_BYTES: usize = 256;

/// The maximum number of labels of a series.
const MOST: usize = 3;

/// The label values of one series, rendered once.
///
/// One string holds all values. The fields that a look-up compares come first (hence `repr(C)`), so it touches few
/// cache lines.
#[derive(Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Labels {
    joined: Box<str>,
    count: usize,
    /// The end of each value in `joined`.
    ends: [usize; MOST],
    text: Box<str>,
}

impl Labels {
    /// Pairs `names` with `values`; at most three values are kept.
    pub(crate) fn new(names: &[&str], values: &[&str]) -> Self {
        // The capacity is exact unless a value needs escapes, so neither string is reallocated.
        let bytes = values.iter().map(|value| value.len()).sum();
        let mut joined = String::with_capacity(bytes);
        // Four bytes around each name and value: `{` or `,` before the name, `="` and `"` around the value.
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

    /// The first `COUNT` raw values; missing ones are empty.
    #[inline]
    pub(crate) fn first_values<const COUNT: usize>(&self) -> [&str; COUNT] {
        std::array::from_fn(|at| {
            let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
            self.joined.get(start..self.ends[at]).unwrap_or_default()
        })
    }

    /// Whether there are exactly two values and the second equals `value`.
    #[inline]
    pub(crate) fn second_is(&self, value: &str) -> bool {
        self.count == 2 && self.joined.as_bytes().get(self.ends[0]..) == Some(value.as_bytes())
    }

    /// The escaped labels without the closing brace, `{name="value",…`; empty without labels.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether the first label has this name.
    pub(crate) fn is_first(&self, name: &str) -> bool {
        let text = self.text.strip_prefix('{').unwrap_or(&self.text);
        text.strip_prefix(name).is_some_and(|rest| rest.starts_with('='))
    }

    /// Whether the values equal `values`.
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

/// Appends a label value escaped for the text format: `\`, `"` and line feed are escaped, other characters are copied.
/// The escaping is injective, since every `\` in its output begins one of the three escapes.
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
