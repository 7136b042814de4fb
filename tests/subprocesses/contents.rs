//! Recorded arguments and results in processes of their own: without a recorder, and with rules for redaction.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

use monitor_runtime::logging::Logging;
use monitor_runtime::{run, track_agent, track_skill};

use crate::support::subprocess::in_own_process;

/// Counts how often it is formatted.
struct Counted(&'static str);

static FORMATTED: AtomicU32 = AtomicU32::new(0);

impl fmt::Debug for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        FORMATTED.fetch_add(1, Ordering::Relaxed);
        f.write_str(self.0)
    }
}

#[track_skill("contents_opens", record(password, words, result))]
fn open(password: &Counted, words: &str) -> Counted {
    Counted(if password.0.is_empty() { "shut" } else { "open" })
}

/// Its budget has calls counted without a recorder.
#[track_agent("contents_agent", budget(skill_calls = 9))]
fn enter(words: &str) {
    open(&Counted("sesame"), words);
}

#[test]
fn nothing_is_formatted_without_a_recorder() {
    in_own_process(|| {
        enter("");
        open(&Counted("sesame"), "");
        assert_eq!(FORMATTED.load(Ordering::Relaxed), 0);
        run::builder().start().unwrap();
        enter("");
        assert_eq!(FORMATTED.load(Ordering::Relaxed), 2);
    });
}

#[test]
fn the_rules_of_the_log_hold_for_contents() {
    in_own_process(|| {
        let _guard =
            Logging::builder().redact(["Password"]).max_value_bytes(64).writer(io::sink()).init().unwrap();
        let runs = run::builder().start().unwrap();
        enter(&"x".repeat(200));
        let run = &runs.newest()[0];
        let contents: Vec<_> = run.nodes()[1].contents().collect();
        assert_eq!(contents[0], ("password", "[redacted]"));
        assert_eq!(contents[1].0, "words");
        assert!(contents[1].1.ends_with("…[truncated 138 bytes]"), "{}", contents[1].1);
        assert_eq!(contents[2], ("result", "open"));
    });
}
