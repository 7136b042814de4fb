//! What users tell of a run: tags, notes and further attempts.

use std::fmt;

use monitor_runtime::testing::{Recording, capture_logs};
use monitor_runtime::{context, genai, run, track_agent, track_model, track_skill};

use crate::{run_of, runs};

#[track_skill("said_look")]
fn look() -> u32 {
    run::tag("shelf", "tea");
    tracing::info!("looking");
    run::note("found it");
    7
}

#[track_agent("said_tags")]
fn tag() {
    run::tag("ticket", 4_711);
    tracing::info!("begun");
    look();
    run::tag("ticket", 4_712);
    tracing::info!("done");
    tracing::info!(run.ticket = "own", "shadowed");
}

#[test]
fn tags_are_fields_of_the_lines_inside_the_run_and_part_of_its_text() {
    runs();
    let recording = Recording::with_runs();
    let lines = capture_logs(|| {
        tag();
        tracing::info!("after");
    });
    let tags: Vec<_> = lines
        .iter()
        .map(|line| {
            (line["event"].as_str().unwrap(), line["run.ticket"].as_str(), line["run.shelf"].as_str())
        })
        .collect();
    let tagged = [
        ("begun", Some("4711"), None),
        ("looking", Some("4711"), Some("tea")),
        ("done", Some("4712"), Some("tea")),
        ("shadowed", Some("own"), Some("tea")),
        ("after", None, None),
    ];
    assert_eq!(tags, tagged);
    let own: Vec<_> = recording.runs().into_iter().filter(|run| run.agent() == "said_tags").collect();
    let [run] = &own[..] else { panic!("{own:?}") };
    let tree = "said_tags ✓ [ticket=4712] [shelf=tea]\n└─ skill said_look ✓\n   └─ • found it";
    assert_eq!(run.to_string(), tree);
    assert_eq!(run.tags().collect::<Vec<_>>(), [("ticket", "4712"), ("shelf", "tea")]);
    assert_eq!((run.tag("ticket"), run.tag("nothing")), (Some("4712"), None));
}

#[track_agent("said_notes")]
fn note() {
    run::note("begun");
    look();
    run::note(format_args!("looked {} time", 1));
}

#[test]
fn notes_are_in_the_order_of_their_time_among_the_calls() {
    runs();
    note();
    let run = run_of("said_notes");
    let tree = "\
said_notes ✓ [shelf=tea]
├─ • begun
├─ skill said_look ✓
│  └─ • found it
└─ • looked 1 time";
    assert_eq!(run.to_string(), tree);
    let notes = run.notes();
    assert_eq!(notes.iter().map(run::Note::node).collect::<Vec<_>>(), [0, 1, 0]);
    assert!(notes.iter().all(|note| note.at() <= run.duration()));
    assert!(notes[0].at() <= run.nodes()[1].start() && run.nodes()[1].start() <= notes[1].at());
}

#[track_agent("said_much")]
fn say_much() {
    const KEYS: [&str; 17] =
        ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q"];
    for key in KEYS {
        run::tag(key, "x".repeat(200));
    }
    for _ in 0..102 {
        run::note("y".repeat(1_000));
    }
}

#[test]
fn texts_are_cut_and_those_without_room_are_counted() {
    runs();
    say_much();
    let run = run_of("said_much");
    assert_eq!((run.tags().count(), run.notes().len(), run.lost_texts()), (16, 100, 1 + 2));
    let cut = |text: &str, most: usize| text.len() <= most && text.len() > most - 4 && text.ends_with('…');
    assert!(run.tags().all(|(_, value)| cut(value, 128)));
    assert!(run.notes().iter().all(|note| cut(note.text(), 256)));
    assert!(!run.is_incomplete());
}

#[track_agent("said_hostile")]
fn say_hostile() {
    run::tag("to", "a\n\u{202e}]b");
    run::note("x\r\ny");
}

#[test]
fn texts_stay_on_their_line() {
    runs();
    say_hostile();
    let tree = "said_hostile ✓ [to=a\\n\\u{202e}]b]\n└─ • x\\r\\ny";
    assert_eq!(run_of("said_hostile").to_string(), tree);
}

#[track_skill("said_fetch")]
fn fetch(fails: bool) -> Result<(), &'static str> {
    run::retry("rate_limited");
    run::retry("reset");
    if fails { Err("gone") } else { Ok(()) }
}

#[track_model("said-gpt", provider = "said")]
fn complete() {
    run::retry("429");
}

#[track_agent("said_retries")]
fn fetch_twice() {
    run::retry("an agent is shown as well");
    let _ = fetch(true);
    let _ = fetch(false);
    complete();
}

#[test]
fn further_attempts_are_shown_and_counted_once_each() {
    let recording = Recording::with_runs();
    fetch_twice();
    let tree = "\
said_retries ✓ attempt 2 after an agent is shown as well · 1 model call, usage unknown
├─ skill said_fetch ✗ gone attempt 3 after reset
├─ skill said_fetch ✓ attempt 6 after reset
└─ model said-gpt ✓ attempt 2 after 429 · usage unknown";
    let run = run_of("said_retries");
    assert_eq!(run.to_string(), tree);
    assert_eq!((run.nodes()[1].retries(), run.nodes()[1].retry_reason()), (2, Some("reset")));
    // Four that were told, and the second call after the failed one.
    assert_eq!(recording.value("skill_retries_total", &[("skill_id", "said_fetch")]), 5.0);
    assert_eq!(recording.value("model_retries_total", &[("provider", "said"), ("model", "said-gpt")]), 1.0);
}

#[track_skill("said_step")]
fn step(depth: usize) -> Vec<(usize, u32, u32)> {
    let current = run::current().unwrap();
    let mut seen = vec![(current.depth(), current.skill_calls(), current.model_calls())];
    if depth > 0 {
        genai::call("said", "said-gpt").finish("stop");
        seen.extend(step(depth - 1));
    }
    seen
}

#[track_agent("said_current")]
fn descend() -> Vec<(usize, u32, u32)> {
    let current = run::current().unwrap();
    let mut seen = vec![(current.depth(), current.skill_calls(), current.model_calls())];
    seen.extend(step(2));
    assert!(current.elapsed() > std::time::Duration::ZERO);
    seen
}

#[test]
fn the_current_run_tells_its_depth_and_calls() {
    runs();
    assert_eq!(descend(), [(1, 0, 0), (2, 1, 0), (3, 2, 1), (4, 3, 2)]);
}

#[track_agent("said_elsewhere")]
fn tag_elsewhere() {
    let here = context::current();
    std::thread::scope(|scope| {
        scope.spawn(|| here.in_scope(|| run::tag("thread", "other")));
    });
}

#[test]
fn a_tag_follows_the_context_to_other_threads() {
    runs();
    tag_elsewhere();
    assert_eq!(run_of("said_elsewhere").tag("thread"), Some("other"));
}

/// Fails a test in which it is formatted.
struct Untouched;

impl fmt::Display for Untouched {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("formatted outside of a run")
    }
}

#[test]
fn outside_of_a_run_nothing_is_even_formatted() {
    runs();
    run::tag("key", Untouched);
    run::note(Untouched);
    run::retry(Untouched);
    run::check_budget().unwrap();
}
