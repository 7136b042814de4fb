//! Log lines of runs, and the tail of all lines.

use monitor_runtime::logging::Logging;
use monitor_runtime::{track_agent, track_skill};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::api::{ask, json, monitor};
use crate::{run_of, runs, runs_of, support};

#[track_skill("lines_step")]
fn step(nth: usize) {
    if nth % 100 == 50 {
        tracing::warn!(nth, password = "hunter2", "slow step");
    } else {
        tracing::info!(nth, "step");
    }
}

#[track_agent(id = agent)]
fn walk(agent: &str, steps: usize) {
    tracing::info!("began");
    (0..steps).for_each(step);
}

/// The output that is first in this process is the one whose lines are kept, so these tests take turns.
pub(crate) fn logged(run: impl FnOnce()) {
    static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    runs();
    support::memory::text(Logging::builder().redact(["password"]), run);
}

#[test]
fn a_run_has_its_lines_after_redaction_with_their_calls() {
    logged(|| walk("lines_few", 51));
    let run = run_of("lines_few");
    let lines = run.lines();
    assert_eq!(lines.len(), 52);
    assert_eq!((lines[0].message(), lines[0].level(), lines[0].node()), ("began", "info", Some(0)));
    assert_eq!(lines[1].node(), Some(1));
    let slow = &lines[51];
    assert_eq!((slow.message(), slow.level()), ("slow step", "warn"));
    assert!(slow.fields().contains("\"password\":\"[redacted]\"") && slow.fields().contains("\"nth\":50"));
    assert!(!format!("{run:?}").contains("hunter2"));
    assert_eq!(run.left_out_lines(), 0);

    let monitor = monitor();
    let shown = json(&monitor, &format!("runs/{}", run.id()));
    let line = &shown["runs"][0]["lines"][51];
    assert_eq!((&line["level"], &line["fields"]["password"]), (&"warn".into(), &"[redacted]".into()));
    assert_eq!(line["run"], run.id().to_string());
    let text = |query: &str| ask(&monitor, &format!("runs/{}?format=text{query}", run.id())).1;
    assert!(text("&lines=true").contains("slow step") && !text("").contains("slow step"));
    let found = json(&monitor, "runs?agent=lines_few&q=%22nth%22:50");
    assert_eq!(found["runs"].as_array().unwrap().len(), 1);
}

#[test]
fn a_run_of_many_lines_keeps_the_first_the_last_and_the_severe() {
    logged(|| walk("lines_many", 1_500));
    let run = run_of("lines_many");
    let lines = run.lines();
    let bytes: usize = lines.iter().map(|line| line.message().len() + line.fields().len()).sum();
    assert!(lines.len() <= 200 && bytes <= 64 << 10);
    assert_eq!(lines[0].message(), "began");
    assert!(lines[lines.len() - 1].fields().contains("\"nth\":1499"));
    assert_eq!(lines.iter().filter(|line| line.level() == "warn").count(), 15);
    assert_eq!(lines.len() as u64 + run.left_out_lines(), 1_501);
}

#[track_skill("lines_secret")]
fn reveal() -> Result<(), String> {
    Err("the key is hunter2".to_owned())
}

#[track_agent("lines_secrets")]
fn reveal_in_run() -> Result<(), String> {
    reveal()
}

#[test]
fn an_error_passes_the_rules_of_the_first_output() {
    // The rules are those of the process.
    support::subprocess::in_own_process(|| {
        runs();
        let (layer, guard) = Logging::builder().writer(std::io::sink()).redact(["error"]).layer().unwrap();
        let second = Logging::builder().writer(std::io::sink());
        let _second = second.layer::<tracing_subscriber::Registry>().unwrap();
        let reveal_both = || {
            reveal_in_run().unwrap_err();
            reveal().unwrap_err();
        };
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), reveal_both);
        drop(guard);
        let run = run_of("lines_secrets");
        let errors: Vec<_> = run.nodes().iter().map(|node| node.error()).collect();
        assert_eq!(errors, [Some("[redacted]"); 2]);
        let monitor = monitor();
        for path in ["now", "runs?q=hunter2", "calls/skill/lines_secret", "calls/agent/lines_secrets"] {
            let (status, body) = ask(&monitor, path);
            assert!(status == 200 && !body.contains("hunter2"), "{path}: {body}");
        }
        let samples = json(&monitor, "calls/skill/lines_secret");
        assert_eq!(samples["samples"].as_array().unwrap().len(), 2, "{samples:#}");
    });
}

#[test]
fn the_tail_is_filtered_by_level_text_and_run() {
    logged(|| {
        walk("lines_tail", 51);
        tracing::error!(target: "lines::outside", "nobody's");
    });
    let monitor = monitor();
    let id = runs_of("lines_tail")[0].id();
    let of_run = json(&monitor, &format!("logs?run={id}"));
    let lines = of_run["lines"].as_array().unwrap();
    assert_eq!(lines.len(), 52);
    let numbers: Vec<_> = lines.iter().map(|line| line["seq"].as_u64().unwrap()).collect();
    assert!(numbers.is_sorted());
    let warned = json(&monitor, &format!("logs?run={id}&level=warn"));
    assert_eq!(warned["lines"].as_array().unwrap().len(), 1);
    let last = json(&monitor, &format!("logs?run={id}&limit=1"));
    assert_eq!(last["lines"][0]["text"], "slow step");
    let outside = json(&monitor, "logs?q=LINES::outside");
    assert_eq!(
        (&outside["lines"][0]["text"], &outside["lines"][0]["run"]),
        (&"nobody's".into(), &serde_json::Value::Null)
    );
    let text = ask(&monitor, "logs?q=lines::outside&format=text").1;
    assert!(text.contains(" error lines::outside nobody's {} -\n"), "{text}");
}
