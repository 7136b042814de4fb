//! Values that could break a line, on purpose or by accident: each event is one line that reads back.

use std::error::Error;
use std::fmt::{self, Debug, Display};
use std::panic::{AssertUnwindSafe, catch_unwind};

use monitor_runtime::logging::{Format, Logging};
use monitor_runtime::{context, track_agent};
use serde_json::json;
use tracing::field::{Empty, display};
use tracing::{info, info_span};

use crate::support::log_line::LogLine;
use crate::support::memory::{self, lines};

fn line(run: impl FnOnce()) -> LogLine {
    let mut lines = lines(Logging::builder(), run);
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines.remove(0)
}

/// Every character below U+3000, and some that end lines or strings elsewhere.
fn every_character() -> String {
    ('\0'..'\u{3000}').chain("\u{feff}\u{fffd}\u{ffff}\u{10ffff}".chars()).collect()
}

#[test]
fn control_characters_read_back_from_every_text_of_a_line() {
    let text = every_character();
    let line = line(|| {
        let _span = info_span!("s", span = text, recorded = Empty).entered();
        tracing::Span::current().record("recorded", display(&text));
        context::bind("bound", display(&text));
        info!(plain = text, shown = %text, debugged = ?text, "{text}");
    });
    for name in ["event", "span", "recorded", "bound", "plain", "shown"] {
        assert_eq!(line.text(name), text, "{name}");
    }
    assert_eq!(line.text("debugged"), format!("{text:?}"));
}

#[test]
fn invalid_unicode_reads_back_as_replacement_characters() {
    // A surrogate half on its own, as WTF-8 and as UTF-16, and bytes that are no character at all.
    let lossy = String::from_utf8_lossy(b"a\xed\xa0\x80b\xff\xc0\x80").into_owned();
    let halves = String::from_utf16_lossy(&[0x61, 0xd800, 0x62, 0xdc00]);
    let line = line(|| info!(lossy, halves = %halves, "m"));
    assert_eq!(line.text("lossy"), lossy);
    assert!(lossy.starts_with("a\u{fffd}") && lossy.contains('b'));
    assert_eq!(line.text("halves"), "a\u{fffd}b\u{fffd}");
}

#[cfg(unix)]
#[test]
fn a_path_that_is_no_unicode_is_one_line() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    let path = std::path::Path::new(OsStr::from_bytes(b"/tmp/\xed\xa0\x80\n\xff"));
    let line = line(|| info!(path = %path.display(), debugged = ?path, "m"));
    assert_eq!(line.text("path"), path.display().to_string());
    assert_eq!(line.text("debugged"), format!("{path:?}"));
}

#[test]
fn texts_of_a_megabyte_are_whole_wherever_they_stand() {
    let long = "line\n".repeat(1 << 18);
    let line = line(|| {
        let _span = info_span!("s", span = long).entered();
        context::bind("bound", display(&long));
        info!(copy = long, copied = %long, "{long}");
    });
    for name in ["event", "span", "bound", "copy", "copied"] {
        assert_eq!(line.text(name), long, "{name}");
    }
}

/// A tree of one branch.
#[derive(Debug)]
#[allow(dead_code, reason = "read by `Debug`")]
struct Deep(&'static str, Option<Box<Deep>>);

#[test]
fn deep_debug_output_is_one_line_however_it_is_laid_out() {
    let deep = (0..120).fold(Deep("\"\n", None), |inside, _| Deep("\t", Some(Box::new(inside))));
    let line = line(|| info!(plain = ?deep, laid_out = format_args!("{deep:#?}"), "m"));
    assert_eq!(line.text("plain"), format!("{deep:?}"));
    let laid_out = format!("{deep:#?}");
    assert!(laid_out.lines().count() > 400);
    assert_eq!(line.text("laid_out"), laid_out);
}

/// Writes a part of its text and then panics.
struct Panics;

impl Display for Panics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("half\n\"")?;
        panic!("while it is formatted")
    }
}

impl Debug for Panics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

impl Error for Panics {}

#[test]
fn a_panicking_value_in_any_place_leaves_no_partial_line() {
    let panicking: [fn(); 6] = [
        || info!(a = 1, b = %Panics, "field"),
        || info!(a = ?Panics, "field"),
        || info!("message {Panics}"),
        || info!(error = &Panics as &dyn Error, "error"),
        || drop(info_span!("span", a = 1, b = %Panics)),
        || context::bind("bound", display(Panics)),
    ];
    let lines = lines(Logging::builder(), || {
        let _span = info_span!("outer", outer = 1).entered();
        for run in panicking {
            assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
            info!(own = 2, "whole");
        }
    });
    assert_eq!(lines.len(), panicking.len());
    for line in lines {
        assert_eq!(line.text("event"), "whole");
        assert_eq!(line.fields(), [("outer", &json!(1)), ("own", &json!(2))]);
    }
}

/// Fails half-way, as formatters may.
struct Fails;

impl Display for Fails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("half\n")?;
        Err(fmt::Error)
    }
}

#[test]
fn a_value_whose_formatter_fails_is_cut_there() {
    let line = line(|| info!(value = %Fails, other = 1, "m"));
    assert_eq!(line.fields(), [("value", &json!("half\n")), ("other", &json!(1))]);
}

#[track_agent("planner", fields(event = "theirs", agent_id.chain = 1, error = "bound"))]
fn named_like_ours() {
    let _span = info_span!("s", timestamp = 1, level = 2, request_id = "r-1").entered();
    context::bind("logger", 3);
    let error = std::io::Error::other(Panicless);
    info!(
        timestamp = 4,
        level = 5,
        logger = 6,
        event = 7,
        agent_id = 8,
        request_id = 9,
        error = &error as &dyn Error,
        field.event = 10,
        "m"
    );
}

#[derive(Debug)]
struct Panicless;

impl Display for Panicless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("theirs")
    }
}

impl Error for Panicless {}

#[test]
fn fields_named_like_ours_stand_under_names_of_their_own() {
    let line = line(named_like_ours);
    assert_eq!(line.text("event"), "m");
    assert_eq!(
        line.fields(),
        [
            ("request_id", &json!("r-1")),
            ("agent_id", &json!("planner")),
            ("field.event", &json!("theirs")),
            ("agent_id.chain", &json!(1)),
            ("error", &json!("bound")),
            ("field.timestamp", &json!(1)),
            ("field.level", &json!(2)),
            ("field.logger", &json!(3)),
            ("field.field.timestamp", &json!(4)),
            ("field.field.level", &json!(5)),
            ("field.field.logger", &json!(6)),
            ("field.field.event", &json!(7)),
            ("field.agent_id", &json!(8)),
            ("field.request_id", &json!(9)),
            ("field.error", &json!("theirs")),
            ("field.field.field.event", &json!(10)),
        ]
    );
}

#[test]
fn values_with_the_same_name_get_distinct_names() {
    let line = line(|| {
        let _span = info_span!("s", a = 1, a = 2).entered();
        info!(a = 3, a = 4, "m");
    });
    let fields = [("a", &json!(2)), ("field.a", &json!(3)), ("field.field.a", &json!(4))];
    assert_eq!(line.fields(), fields);
}

#[test]
fn a_pretty_line_is_one_line_without_control_characters() {
    let text = every_character();
    let logged = memory::text(Logging::builder().format(Format::Pretty), || {
        let _span = info_span!("s", span = text).entered();
        info!(plain = text, shown = %text, "{text}");
    });
    let line = logged.strip_suffix('\n').unwrap();
    assert!(!line.contains(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')));
}

/// Overrides and isolates of direction, what has no width, and tags, which some readers of a prompt see and people do not.
const HIDDEN: &str = "\u{ad}\u{61c}\u{180e}\u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\
     \u{2060}\u{2061}\u{2064}\u{2066}\u{2067}\u{2068}\u{2069}\u{206a}\u{206f}\u{feff}\u{fff9}\u{fffb}\u{e0001}\u{e0020}\u{e007f}";

#[test]
fn no_format_shows_text_in_another_order_or_hides_a_part() {
    for format in [Format::Json, Format::Pretty] {
        let logged = memory::text(Logging::builder().format(format), || {
            let _span = info_span!("s", span = HIDDEN).entered();
            context::bind("bound", HIDDEN);
            info!(target: "a\u{202e}target", plain = HIDDEN, shown = %HIDDEN, "user\u{202e}{HIDDEN}");
        });
        assert!(!logged.contains(|c| HIDDEN.contains(c)), "{logged}");
        assert!(logged.contains("user\\u202e") && logged.contains("\\udb40\\udc01"), "{logged}");
        if format == Format::Json {
            assert_eq!(LogLine::read_all(&logged)[0].text("bound"), HIDDEN);
        }
    }
}

#[test]
fn an_event_without_a_message_shows_its_target_and_callsite() {
    let line = line(|| info!(rows = 3));
    assert_eq!(line.text("event"), module_path!());
    let at = format!("{}:{}", file!(), line!() - 2);
    assert_eq!(line.fields(), [("rows", &json!(3)), ("callsite", &json!(at))]);
}

#[test]
fn the_name_of_an_event_stands_for_the_message_it_does_not_have() {
    let named = line(|| info!(name: "cache.miss", target: "cache", key = 7));
    assert_eq!((named.text("event"), named.fields()), ("cache.miss", vec![("key", &json!(7))]));
    let taken = line(|| info!(target: "cache", callsite = "mine", message = None::<&str>));
    assert_eq!((taken.text("event"), taken.text("callsite")), ("cache", "mine"));
    assert!(taken.text("field.callsite").starts_with(file!()), "{taken}");
}
