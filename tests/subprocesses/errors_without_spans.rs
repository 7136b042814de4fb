//! Errors of tracked calls whose spans are more verbose than the log: each is still logged once, and says whose it is.
//!
//! In a process of its own, since here the one global subscriber is what is tested.

use std::io::Write;
use std::sync::{Arc, Mutex};

use monitor_runtime::context;
use monitor_runtime::logging::Logging;
use monitor_runtime::{track_agent, track_query, track_skill};
use serde_json::Value;

use crate::support::subprocess::in_own_process;

#[derive(Clone, Default)]
struct SharedBuffer(Arc<Mutex<Vec<u8>>>);

impl Write for SharedBuffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[track_query("load_index", level = "debug")]
fn load_index() -> Result<(), std::io::Error> {
    Err(std::io::Error::other("disk gone"))
}

#[track_skill(id = name, level = "debug")]
async fn search(name: &str) -> Result<(), String> {
    tokio::task::yield_now().await;
    load_index().map_err(|error| format!("{name}: {error}"))
}

#[track_agent(level = "debug")]
async fn research() -> Result<(), String> {
    search("notes").await
}

#[track_agent(id = name, level = "trace")]
fn fails_under(name: &str) -> Result<(), String> {
    Err("asked to".to_owned() + name)
}

#[track_agent(level = "debug")]
async fn carries() -> Result<(), String> {
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(context::carry(search("carried")));
    tasks.join_next().await.unwrap().unwrap()
}

#[test]
fn an_error_is_logged_once_and_names_its_call() {
    in_own_process(|| {
        let written = SharedBuffer::default();
        let guard = Logging::builder().filter("warn").writer(written.clone()).init().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(research()).unwrap_err();
        runtime.block_on(carries()).unwrap_err();
        fails_under("dynamic").unwrap_err();
        fails_under("").unwrap_err();
        drop(guard);

        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let said: Vec<_> =
            lines.iter().map(|line| (&line["event"], &line["query"], &line["agent_id"])).collect();
        let text = Value::from;
        assert_eq!(
            said,
            [
                (&text("query failed"), &text("load_index"), &Value::Null),
                (&text("query failed"), &text("load_index"), &Value::Null),
                (&text("agent failed"), &Value::Null, &text("dynamic")),
                // An empty id would be no label at all; the function's own id replaces it.
                (&text("agent failed"), &Value::Null, &text("fails_under")),
            ]
        );
    });
}
