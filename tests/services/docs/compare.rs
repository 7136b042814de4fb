//! Compares a page with the real output, except for values that differ between runs: times, sizes, modules.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use monitor_runtime::logging::{Format, Logging};
use tracing_subscriber::layer::SubscriberExt as _;

/// Stands in a block for lines that it leaves out.
const LEFT_OUT: &str = "…";

/// Checks that the scrape has the shown lines in this order, adjacent unless `…` is between them.
pub(crate) fn assert_excerpt(shown: &str, scrape: &str) {
    let mut rest = scrape.lines().map(without_sum).peekable();
    let mut may_skip = true;
    for line in shown.lines() {
        if line == LEFT_OUT {
            may_skip = true;
            continue;
        }
        let wanted = without_sum(line);
        let found = if may_skip { rest.find(|line| *line == wanted) } else { rest.next() };
        assert_eq!(found.as_deref(), Some(&*wanted), "the next line of the page, in this scrape:\n{scrape}");
        may_skip = false;
    }
}

/// How long something took is different in each run.
fn without_sum(line: &str) -> String {
    match line.rsplit_once(' ') {
        Some((series, _)) if series.contains("_sum{") => format!("{series} …"),
        _ => line.to_owned(),
    }
}

/// Checks that two JSON texts are the same, key order included, but for white space, times and free space.
pub(crate) fn assert_json(shown: &str, said: &str) {
    let comparable = |text: &str| {
        let text = masked(&compact(text), "\"timestamp\":\"", "\"");
        let text = masked(&text, "\"latency_ms\":", ",");
        let text = masked(&text, "\"age_ms\":", "}");
        // From the quote in front of the number on.
        masked_before(&text, " GB free")
    };
    assert_eq!(comparable(shown), comparable(said));
}

/// Checks that log lines are these, but for their times; ours are logged by a module of this test instead of the reader's.
pub(crate) fn assert_lines(shown: &str, logged: &str, module: &str, shown_as: &str) {
    let untimed = |text: &str| masked(text, "\"timestamp\":\"", "\"");
    assert_eq!(untimed(shown), untimed(&logged.replace(module, shown_as)));
}

/// White space outside of strings taken out.
fn compact(json: &str) -> String {
    let (mut in_string, mut is_escaped) = (false, false);
    let outside = |&char: &char| {
        if char == '"' && !is_escaped {
            in_string = !in_string;
        }
        is_escaped = char == '\\' && !is_escaped;
        in_string || !char.is_whitespace()
    };
    json.chars().filter(outside).collect()
}

/// Lines whose first word, a time stamp, is replaced by a dash.
pub(crate) fn masked_times(text: &str) -> String {
    let lines = text.lines().map(|line| line.split_once(' ').map_or(line, |(_, rest)| rest));
    lines.flat_map(|line| ["- ", line, "\n"]).collect()
}

/// Replaces the text between `start` and the next `end` by a dash.
pub(crate) fn masked(text: &str, start: &str, end: &str) -> String {
    let mut parts = text.split(start);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let kept = part.find(end).map_or("", |at| &part[at..]);
        out.extend([start, "-", kept]);
    }
    out
}

/// The number in front of each `unit`, replaced by a dash.
fn masked_before(text: &str, unit: &str) -> String {
    let parts: Vec<_> = text.split(unit).collect();
    let last = parts.len() - 1;
    let kept = parts.iter().enumerate().map(|(at, part)| match at {
        at if at == last => (*part).to_owned(),
        _ => format!("{}-", part.trim_end_matches(|char: char| char.is_ascii_digit() || char == '.')),
    });
    kept.collect::<Vec<_>>().join(unit)
}

/// The lines logged during `run`, as they would be written.
pub(crate) fn logged(format: Format, run: impl FnOnce()) -> String {
    let written = Written::default();
    let (layer, guard) = Logging::builder().format(format).writer(written.clone()).layer().unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), run);
    assert!(guard.flush(), "the lines were not written in time");
    String::from_utf8(written.0.lock().unwrap().clone()).unwrap()
}

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
