//! Label values in the text exposition: what a strict reader reads is what was written.

use monitor_runtime::fuzzing;

use crate::support::exposition::Exposition;

/// Writes two series whose labels are the input's parts, and reads them back.
///
/// # Panics
///
/// If the reader refuses the text, or reads other values.
pub fn exposition(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let half = text.floor_char_boundary(text.len() / 2);
    let (first, second) = text.split_at(half);
    let pairs = [[first, second], [second, first]];
    let series = if first == second { &pairs[..1] } else { &pairs[..] };
    let lines: Vec<_> = series.iter().map(|values| format!("m_total{} 1\n", labels(values))).collect();
    let scrape = format!("# HELP m_total Help.\n# TYPE m_total counter\n{}", lines.concat());
    let read = Exposition::parse(&scrape).unwrap_or_else(|violation| panic!("{violation}\n{scrape}"));
    assert_eq!(read.samples("m_total").count(), series.len());
    for [a, b] in series {
        assert_eq!(read.value("m_total", &[("a", a), ("b", b)]), Some(1.0), "{scrape}");
    }
}

fn labels(values: &[&str; 2]) -> String {
    format!("{}}}", fuzzing::labels(&["a", "b"], values))
}
