//! Label values and their form in the text exposition.

/// The value that takes what a full family has no room for.
pub(crate) const OVERFLOW: &str = "__overflow__";

/// A longer value is recorded under [`OVERFLOW`], so that a family's memory has a ceiling.
pub(crate) const MAX_VALUE_BYTES: usize = 256;

/// The label values of one series, rendered once.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Labels {
    values: Box<[Box<str>]>,
    text: Box<str>,
}

impl Labels {
    /// Pairs `names` with `values`.
    pub(crate) fn new(names: &[&str], values: &[&str]) -> Self {
        let mut text = String::new();
        for (name, value) in names.iter().zip(values) {
            if !text.is_empty() {
                text.push(',');
            }
            text.push_str(name);
            text.push_str("=\"");
            escape_into(&mut text, value);
            text.push('"');
        }
        Self { values: values.iter().map(|&value| value.into()).collect(), text: text.into() }
    }

    /// The raw values, in the order of the names.
    pub(crate) fn values(&self) -> &[Box<str>] {
        &self.values
    }

    /// `name="value",…`, escaped; empty without labels.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether the values are these.
    pub(crate) fn are(&self, values: &[&str]) -> bool {
        self.values.iter().map(|own| &**own).eq(values.iter().copied())
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

#[cfg(test)]
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
