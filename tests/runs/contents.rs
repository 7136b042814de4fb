//! Arguments and results that the option `record(…)` names.

use std::fmt;
use std::pin::pin;

use futures_util::{Stream, StreamExt as _, stream};
use monitor_runtime::{Dashboard, Monitor, track_agent, track_model, track_query, track_skill};
use serde_json::{Value, json};

use crate::api::{ask, json as ask_json};
use crate::{run_of, runs};

#[derive(Clone, Debug)]
struct Page {
    number: u32,
}

#[track_skill("contents_search", record(query, page, result))]
fn search(query: &str, page: Page, _limit: usize) -> Result<Vec<u32>, String> {
    let Page { number } = page;
    if query.is_empty() { Err("no words".to_owned()) } else { Ok(vec![1, number]) }
}

#[track_skill("contents_shows", record(%query = 16, result = 20))]
async fn show(query: String) -> String {
    tokio::task::yield_now().await;
    query
}

#[track_query("contents_find", operation = "select", record(id))]
fn find(id: u32) -> u32 {
    id + 1
}

#[track_model("contents-gpt", provider = "contents", record(prompt, result))]
async fn complete(prompt: &str) -> usize {
    tokio::task::yield_now().await;
    prompt.len()
}

#[track_skill("contents_counts", record(to, result))]
fn count(to: u32) -> impl Stream<Item = u32> {
    stream::iter(0..to)
}

#[track_agent("contents_agent", record(goal, %result))]
async fn work(goal: &str) -> usize {
    let _ = search("tea\n?", Page { number: 7 }, 3);
    let _ = search("", Page { number: 8 }, 3);
    show("äääääääääääääääääääääääääääääääääää".to_owned()).await;
    find(4);
    complete("salt?").await;
    pin!(count(3)).collect::<Vec<_>>().await.len()
}

#[tokio::test]
async fn named_arguments_and_results_are_kept_cut_and_no_others() {
    runs();
    work("a meal").await;
    let run = run_of("contents_agent");
    let kept: Vec<Vec<_>> = run.nodes().iter().map(|node| node.contents().collect()).collect();
    assert_eq!(kept[0], [("goal", "\"a meal\""), ("result", "3")]);
    assert_eq!(kept[1], [("query", "\"tea\\n?\""), ("page", "Page { number: 7 }"), ("result", "Ok([1, 7])")]);
    assert_eq!(kept[2], [("query", "\"\""), ("page", "Page { number: 8 }"), ("result", "Err(\"no words\")")]);
    assert_eq!(kept[3], [("query", "ääääää…"), ("result", "\"ääääääää…")]);
    assert_eq!(kept[4], [("id", "4")]);
    assert_eq!(kept[5], [("prompt", "\"salt?\""), ("result", "5")]);
    // Of a stream, the last item.
    assert_eq!(kept[6], [("to", "3"), ("result", "2")]);
    let first = &run.nodes()[0];
    assert_eq!((first.content("goal"), first.content("nothing")), (Some("\"a meal\""), None));
    assert!(!run.to_string().contains("meal"), "{run}");
}

struct Dropped;

impl fmt::Debug for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dropped")
    }
}

#[track_skill("contents_later", record(word))]
fn later(word: Dropped) -> impl Future<Output = ()> {
    async move { assert_eq!(format!("{word:?}"), "dropped") }
}

#[track_agent("contents_drops")]
async fn drop_first() {
    drop(later(Dropped));
    later(Dropped).await;
}

#[tokio::test]
async fn a_call_that_never_begins_keeps_nothing() {
    runs();
    drop_first().await;
    let run = run_of("contents_drops");
    assert_eq!(run.nodes().len(), 2);
    assert_eq!(run.nodes()[1].content("word"), Some("dropped"));
}

fn show_run(monitor: &Monitor, id: &str) -> (Value, String) {
    let shown = ask_json(monitor, &format!("runs/{id}"))["runs"][0]["nodes"].clone();
    let (status, text) = ask(monitor, &format!("runs/{id}?format=text"));
    assert_eq!(status, 200, "{text}");
    (shown, text)
}

#[track_agent("contents_shown", record(goal, result))]
fn reach(goal: &str) -> u32 {
    find(1)
}

#[test]
fn contents_are_shown_to_those_who_may_see_them() {
    runs();
    reach("a\nmeal");
    let id = run_of("contents_shown").id().to_string();
    let monitor = |dashboard| Monitor::builder().admin_port(0).dashboard(dashboard).build().unwrap();
    let (nodes, text) = show_run(&monitor(Dashboard::new().show_content(true)), &id);
    assert_eq!(nodes[0]["content"], json!({"goal": "\"a\\nmeal\"", "result": "2"}));
    assert_eq!(nodes[1]["content"], json!({"id": "1"}));
    assert!(text.contains("\n0 contents_shown goal=\\\"a\\\\nmeal\\\"\n"), "{text}");
    for plain in [monitor(Dashboard::new()), Monitor::builder().admin_port(0).build().unwrap()] {
        let (nodes, text) = show_run(&plain, &id);
        assert!(nodes[0].get("content").is_none() && !text.contains("meal"), "{nodes} {text}");
        let listed = ask_json(&plain, "runs?agent=contents_shown&q=meal");
        assert_eq!(listed["runs"], json!([]));
    }
}
