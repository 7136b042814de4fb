//! The last log lines, as the output took them after redaction.

use std::fmt::Write as _;

use axum::extract::Request;

use super::object::Object;
use super::query::Query;
use super::{Answer, Api, formed, recorded, write};
use crate::families::process;
use crate::run::LogLine;

/// The last lines that match, the newest last.
pub(super) fn tail(api: &Api, request: &Request) -> Answer {
    let query = Query::parse(request, &["level", "q", "run", "limit"])?;
    let runs = recorded()?;
    let takes = |line: &LogLine| {
        line.rank() <= query.level
            && query.run.is_none_or(|run| line.run() == Some(run))
            && query.text.as_ref().is_none_or(|text| line.has(text))
    };
    let lines = runs.log_tail(0, query.limit, takes);
    let metrics = process::metrics();
    let counts = [("dropped", metrics.log_dropped.get()), ("suppressed", metrics.log_suppressed.get())];
    let write = |object: &mut Object<'_>| {
        object.list("lines", lines.iter(), |out, line| write::write_line(out, line));
        for (name, count) in counts {
            object.plain(name, Some(count));
        }
    };
    let text = || {
        let mut text: String = lines.iter().map(|line| write::line_text(line)).collect();
        for (name, count) in counts {
            // Writing into memory cannot fail.
            let _ = writeln!(text, "{name} {count}");
        }
        text
    };
    Ok(formed(api, runs, query.format, write, text))
}
