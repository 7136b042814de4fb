//! An error that a tracked call returns is logged once, by the innermost call that saw it.

use std::fmt;

use monitor_runtime::context;
use monitor_runtime::testing::capture_logs;
use monitor_runtime::{track_agent, track_query, track_skill};
use serde_json::Value;

#[derive(Debug)]
struct SearchError(std::io::Error);

impl fmt::Display for SearchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("search failed")
    }
}

impl std::error::Error for SearchError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[track_query("load_index")]
fn load_index() -> Result<(), std::io::Error> {
    Err(std::io::Error::other("disk gone"))
}

#[track_skill("search")]
async fn search() -> Result<(), SearchError> {
    load_index().map_err(SearchError)
}

#[track_agent("researcher")]
async fn research() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    search().await?;
    Ok(())
}

#[track_agent("fallback")]
async fn falls_back() -> Result<(), String> {
    let _ = search().await;
    Err("no answer".to_owned())
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// The lines about failed calls.
fn failures(lines: Vec<Value>) -> Vec<Value> {
    lines.into_iter().filter(|line| line["logger"] == "monitor_runtime::call").collect()
}

#[test]
fn an_error_that_travels_outward_is_logged_where_it_arose() {
    let lines = failures(capture_logs(|| {
        block_on(research()).unwrap_err();
    }));
    assert_eq!(lines.len(), 1, "{lines:#?}");
    let line = &lines[0];
    assert_eq!(line["level"], "error");
    assert_eq!(line["event"], "query failed");
    assert_eq!(line["error"], "disk gone");
    assert_eq!(line["agent_id"], "researcher");
    assert_eq!(line["skill_id"], "search");
    assert_eq!(line["query"], "load_index");
}

#[test]
fn an_error_of_its_own_is_logged_although_another_was_logged_inside() {
    let lines = failures(capture_logs(|| {
        block_on(falls_back()).unwrap_err();
    }));
    let logged: Vec<_> = lines.iter().map(|line| (&line["event"], &line["error"])).collect();
    assert_eq!(
        logged,
        [
            (&Value::from("query failed"), &Value::from("disk gone")),
            (&Value::from("agent failed"), &Value::from("no answer")),
        ]
    );
}

#[track_agent("shares_words")]
fn shares_words() -> Result<(), String> {
    let _ = not_found();
    Err("config file not found: /etc/notes".to_owned())
}

#[track_skill("not_found")]
fn not_found() -> Result<(), String> {
    Err("not found".to_owned())
}

#[test]
fn an_error_that_only_shares_words_with_another_is_logged() {
    let lines = failures(capture_logs(|| {
        shares_words().unwrap_err();
    }));
    assert_eq!(lines.len(), 2, "{lines:#?}");
}

#[test]
fn an_error_that_cannot_be_displayed_is_returned_all_the_same() {
    #[derive(Debug)]
    struct Broken;

    impl fmt::Display for Broken {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            Err(fmt::Error)
        }
    }

    #[track_skill("broken")]
    fn broken() -> Result<(), Broken> {
        Err(Broken)
    }

    let lines = failures(capture_logs(|| {
        broken().unwrap_err();
    }));
    assert_eq!(lines[0]["skill_id"], "broken");
}

#[test]
fn the_same_error_is_logged_again_when_it_occurs_again() {
    let lines = failures(capture_logs(|| {
        block_on(async {
            research().await.unwrap_err();
            research().await.unwrap_err();
        });
    }));
    assert_eq!(lines.len(), 2);
}

#[track_skill("with_chain")]
fn with_chain() -> Result<(), SearchError> {
    Err(SearchError(std::io::Error::other("disk gone")))
}

#[test]
fn the_sources_of_an_error_are_logged_with_it() {
    let lines = failures(capture_logs(|| {
        with_chain().unwrap_err();
    }));
    assert_eq!(lines[0]["error"], "search failed");
    assert_eq!(lines[0]["error.chain"], "disk gone");
}

#[track_skill("quiet", log_errors = false)]
fn quiet() -> Result<(), String> {
    Err("not worth a line".to_owned())
}

#[track_skill("milder", log_errors = "warn", level = "trace")]
fn milder() -> Result<(), String> {
    Err("worth a warning".to_owned())
}

#[test]
fn log_errors_silences_or_softens_the_line() {
    let lines = failures(capture_logs(|| {
        quiet().unwrap_err();
        milder().unwrap_err();
    }));
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert_eq!(lines[0]["level"], "warn");
    assert_eq!(lines[0]["error"], "worth a warning");
}

#[track_agent("spawns")]
async fn spawns() -> Result<(), SearchError> {
    context::spawn(search()).await.unwrap()
}

#[test]
fn an_error_of_a_spawned_call_is_not_logged_again_by_the_call_around_it() {
    let lines = failures(capture_logs(|| {
        block_on(spawns()).unwrap_err();
    }));
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert_eq!(lines[0]["agent_id"], "spawns");
}
