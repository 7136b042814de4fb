//! OpenMetrics 1.0: units, counter families named without `_total`, exemplars, and an end marker.
//! <https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md>
//!
//! Sample names are the same as in the text format, so a scraper may change its format without renaming series.

mod foreign;
mod own;

pub(crate) use foreign::write as write_gathered;
pub(crate) use own::write as write_own;

use crate::exposition::names::Names;

/// Ends an exposition, so that readers notice a truncated one.
pub(crate) const END: &[u8] = b"# EOF\n";

/// The base units of the Prometheus conventions, as suffixes of names.
/// <https://prometheus.io/docs/practices/naming/#base-units>
const UNITS: [&str; 9] =
    ["seconds", "bytes", "ratio", "celsius", "meters", "grams", "joules", "volts", "amperes"];

/// The name and type of a counter's family: the sample name without `_total`. If the samples lack that suffix, or the
/// short name is taken, the type is `unknown`, since OpenMetrics has no counter of such a name.
fn counter<'a>(names: &Names, name: &'a str) -> (&'a str, &'static str) {
    match name.strip_suffix("_total") {
        Some(stem) if names.are_free_for_counter(stem) => (stem, "counter"),
        _ => (name, "unknown"),
    }
}

/// Appends the metadata lines of a family.
fn write_header(out: &mut Vec<u8>, (name, kind): (&str, &str), help: &str) {
    let mut line = |word: &str, text: &str| {
        for part in ["# ", word, " ", name, " ", text, "\n"] {
            out.extend_from_slice(part.as_bytes());
        }
    };
    line("TYPE", kind);
    if let Some(unit) = unit(name) {
        line("UNIT", unit);
    }
    if !help.is_empty() {
        let mut escaped = String::with_capacity(help.len());
        crate::cells::labels::escape_into(&mut escaped, help);
        line("HELP", &escaped);
    }
}

/// The unit that a family's name ends with.
fn unit(family: &str) -> Option<&'static str> {
    UNITS.into_iter().find(|unit| family.strip_suffix(unit).is_some_and(|stem| stem.ends_with('_')))
}
