//! OpenMetrics 1.0: units, counters named apart from their samples, exemplars, an end that can be seen.
//! <https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md>
//!
//! Sample names are those of the text format, so that nothing is renamed by a change of scraper.

mod foreign;
mod own;

pub(crate) use foreign::write as write_gathered;
pub(crate) use own::write as write_own;

use crate::exposition::names::Names;

/// What ends an exposition, so that one cut short is not taken for a whole one.
pub(crate) const END: &[u8] = b"# EOF\n";

/// Units that names end in, of those that the conventions know.
/// <https://prometheus.io/docs/practices/naming/#base-units>
const UNITS: [&str; 9] =
    ["seconds", "bytes", "ratio", "celsius", "meters", "grams", "joules", "volts", "amperes"];

/// A counter's family, which is called as its samples are, less `_total`. One whose samples do not end so, or whose name would
/// then be another's, is of unknown type, since OpenMetrics has no counter of that name.
fn counter<'a>(names: &Names, name: &'a str) -> (&'a str, &'static str) {
    match name.strip_suffix("_total") {
        Some(stem) if names.are_free_for_counter(stem) => (stem, "counter"),
        _ => (name, "unknown"),
    }
}

/// Appends what stands before a family's samples.
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

/// The unit at the end of a family's name.
fn unit(family: &str) -> Option<&'static str> {
    UNITS.into_iter().find(|unit| family.strip_suffix(unit).is_some_and(|stem| stem.ends_with('_')))
}
