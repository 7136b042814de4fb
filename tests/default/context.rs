//! The context on log lines, across scopes, awaits and tasks.

use std::future::Future;
use std::time::Duration;

use monitor_runtime::testing::{capture_logs, capture_logs_async};
use monitor_runtime::{context, track_agent, track_skill};
use serde_json::Value;
use tokio::task::yield_now;
use tracing::field::{Empty, debug, display};
use tracing::{Instrument as _, info, info_span};

/// The lines of `future`, run to its end on this thread.
fn lines_of(future: impl Future<Output = ()>) -> Vec<Value> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    capture_logs(|| runtime.block_on(future))
}

/// A line's fields beyond the four that every line has, by name: JSON objects keep their order only if another crate of the
/// build turns on that feature of `serde_json`.
fn said(line: &Value) -> Value {
    let mut fields = line.as_object().unwrap().clone();
    fields.retain(|name, _| !["timestamp", "level", "logger", "event"].contains(&name.as_str()));
    fields.sort_keys();
    Value::Object(fields)
}

fn all_said(lines: &[Value]) -> Vec<String> {
    lines.iter().map(|line| said(line).to_string()).collect()
}

#[test]
fn bound_fields_hold_until_the_span_ends() {
    let lines = capture_logs(|| {
        let _outer = info_span!("outer").entered();
        {
            let _inner = info_span!("inner").entered();
            context::bind("user_id", 17);
            info!("inside");
        }
        info!("outside");
    });
    assert_eq!(all_said(&lines), [r#"{"user_id":17}"#, "{}"]);
}

#[test]
fn spans_opened_later_inherit_what_is_bound_and_bind_over_it() {
    let lines = capture_logs(|| {
        let _outer = info_span!("outer", agent_id = "a").entered();
        context::bind("user_id", "outer");
        let _inner = info_span!("inner").entered();
        info!("inherited");
        context::bind("user_id", "inner");
        context::bind("agent_id", "b");
        info!("bound over");
    });
    assert_eq!(
        all_said(&lines),
        [r#"{"agent_id":"a","user_id":"outer"}"#, r#"{"agent_id":"b","user_id":"inner"}"#]
    );
}

#[test]
fn values_keep_their_type_and_none_binds_nothing() {
    let lines = capture_logs(|| {
        let _span = info_span!("span").entered();
        context::bind("a", 1.5);
        context::bind("b", true);
        context::bind("c", String::from("text"));
        context::bind("d", display(7));
        context::bind("e", debug("quoted"));
        context::bind("f", None::<i32>);
        context::bind("g", f64::NAN);
        info!("all");
    });
    assert_eq!(all_said(&lines), [r#"{"a":1.5,"b":true,"c":"text","d":"7","e":"\"quoted\"","g":"NaN"}"#]);
}

#[test]
fn names_that_every_line_has_are_bound_under_another() {
    let lines = capture_logs(|| {
        let _span = info_span!("span", level = 1).entered();
        for _ in 0..2 {
            context::bind("timestamp", 1);
            context::bind("event", 2);
        }
        info!("all");
    });
    assert_eq!(lines[0]["event"], "all");
    assert_eq!(all_said(&lines), [r#"{"field.event":2,"field.level":1,"field.timestamp":1}"#]);
}

#[test]
fn a_span_field_recorded_later_counts_from_then_on() {
    let lines = capture_logs(|| {
        let span = info_span!("span", rows = Empty).entered();
        info!("before");
        span.record("rows", 3);
        info!("after");
    });
    assert_eq!(all_said(&lines), ["{}", r#"{"rows":3}"#]);
}

#[test]
fn binding_outside_of_a_span_warns_a_subscriber_once() {
    context::bind("user_id", 0);
    let lines = capture_logs(|| {
        context::bind("nothing", None::<u8>);
        context::bind("user_id", 1);
        context::bind("user_id", 2);
        info!("unbound");
    });
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["level"], "warn");
    assert_eq!(lines[0]["logger"], "monitor_runtime::context");
    assert_eq!(lines[0]["name"], "user_id");
    assert_eq!(said(&lines[1]).to_string(), "{}");
}

#[test]
fn context_holds_across_awaits_and_does_not_leak_between_tasks() {
    async fn work(id: u32) {
        context::bind("bound", id);
        for _ in 0..3 {
            info!(id, "working");
            yield_now().await;
            tokio::time::sleep(Duration::from_millis(u64::from(id))).await;
        }
    }
    let lines = lines_of(async {
        let tasks = (0..4).map(|id| work(id).instrument(info_span!("work", agent_id = id)));
        futures_util::future::join_all(tasks).await;
        info!("done");
    });
    assert_eq!(lines.len(), 13);
    for line in &lines[..12] {
        assert_eq!((&line["agent_id"], &line["bound"]), (&line["id"], &line["id"]));
    }
    assert_eq!(said(&lines[12]).to_string(), "{}");
}

#[test]
fn a_spawned_task_carries_the_context_and_the_subscriber() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let lines = capture_logs(|| {
        let task = {
            let _request = info_span!("request", request_id = "r-1").entered();
            context::bind("user_id", 17);
            let _guard = runtime.enter();
            context::spawn(async {
                info!("in task");
                context::spawn(async { info!("in task of task") }).await.unwrap();
                5
            })
        };
        assert_eq!(runtime.block_on(task).unwrap(), 5);
        info!("outside");
    });
    let said = all_said(&lines);
    assert_eq!(said, [r#"{"request_id":"r-1","user_id":17}"#, r#"{"request_id":"r-1","user_id":17}"#, "{}"]);
}

#[test]
fn a_task_spawned_by_tokio_itself_has_no_context() {
    let lines = lines_of(async {
        let task =
            info_span!("request", request_id = "r-1").in_scope(|| tokio::spawn(async { info!("in task") }));
        task.await.unwrap();
    });
    assert_eq!(all_said(&lines), ["{}"]);
}

#[test]
fn a_task_that_is_aborted_logs_its_last_in_its_context() {
    struct Last;
    impl Drop for Last {
        fn drop(&mut self) {
            info!("dropped");
        }
    }
    let lines = lines_of(async {
        let task = info_span!("request", request_id = "r-1").in_scope(|| {
            context::spawn(async {
                let _last = Last;
                std::future::pending::<()>().await;
            })
        });
        yield_now().await;
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    });
    assert_eq!(all_said(&lines), [r#"{"request_id":"r-1"}"#]);
}

#[test]
fn captures_that_run_side_by_side_do_not_see_each_other() {
    std::thread::scope(|scope| {
        for id in 0..8 {
            scope.spawn(move || {
                let lines = capture_logs(|| (0..100).for_each(|_| info!(id, "mine")));
                assert_eq!(lines.len(), 100);
                assert!(lines.iter().all(|line| line["id"] == id));
            });
        }
    });
}

#[test]
fn a_closure_that_is_handed_over_carries_the_context() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let lines = capture_logs(|| {
        let _request = info_span!("request", request_id = "r-1").entered();
        let work = |name: &'static str| context::in_scope(move || info!(on = name, "working"));
        std::thread::spawn(work("thread")).join().unwrap();
        let (done, wait) = std::sync::mpsc::channel();
        let pooled = work("pool");
        rayon::spawn(move || {
            pooled();
            done.send(()).unwrap();
        });
        wait.recv().unwrap();
        std::thread::scope(|scope| scope.spawn(work("scope")).join().unwrap());
        runtime.block_on(async {
            let mut tasks = tokio::task::JoinSet::new();
            tasks.spawn_blocking(work("blocking"));
            tasks.join_next().await.unwrap().unwrap();
        });
    });
    let expected = ["thread", "pool", "scope", "blocking"]
        .map(|name| format!(r#"{{"on":"{name}","request_id":"r-1"}}"#));
    assert_eq!(all_said(&lines), expected);
}

#[test]
fn a_closure_that_is_never_called_is_dropped_in_its_context() {
    struct Held;
    impl Drop for Held {
        fn drop(&mut self) {
            info!("dropped");
        }
    }
    let lines = capture_logs(|| {
        let held = Held;
        let work =
            info_span!("request", request_id = "r-1").in_scope(|| context::in_scope(move || drop(held)));
        std::thread::scope(|scope| scope.spawn(move || drop(work)).join().unwrap());
    });
    assert_eq!(all_said(&lines), [r#"{"request_id":"r-1"}"#]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_of_a_future_are_captured_inside_of_a_runtime() {
    async fn step() {
        info!("before");
        yield_now().await;
        let carried = context::spawn(async { info!("in task") });
        carried.await.unwrap();
        tokio::spawn(async { info!("in a task of its own") }).await.unwrap();
        info!("after");
    }
    info!("outside");
    let request = async { step().instrument(info_span!("request", request_id = "r-1")).await };
    let task = tokio::spawn(capture_logs_async(request));
    let (lines, others) = tokio::join!(task, capture_logs_async(async { info!("beside") }));
    let events = |lines: &[Value]| lines.iter().map(|line| line["event"].clone()).collect::<Vec<_>>();
    let lines = lines.unwrap();
    assert_eq!(events(&lines), ["before", "in task", "after"]);
    assert!(lines.iter().all(|line| line["request_id"] == "r-1"), "{lines:#?}");
    assert_eq!(events(&others), ["beside"]);
}

/// The ids of the current agent and the current skill.
fn here() -> (Option<String>, Option<String>) {
    (context::current_agent(), context::current_skill())
}

#[track_skill("look_up")]
fn look_up() -> (Option<String>, Option<String>) {
    here()
}

#[track_agent(id = name)]
async fn named(name: &str) -> [(Option<String>, Option<String>); 3] {
    let before = here();
    let spawned = context::spawn(async { look_up() }).await.unwrap();
    yield_now().await;
    [before, spawned, here()]
}

#[tokio::test]
async fn code_can_ask_for_the_agent_and_the_skill_that_it_runs_in() {
    let some = |id: &str| Some(id.to_owned());
    let mut said = Vec::new();
    capture_logs_async(async {
        said.push(here());
        said.extend(named("planner").await);
        said.extend(named("a \"quoted\" é\n").await);
    })
    .await;
    let expected = ["planner", "a \"quoted\" é\n"]
        .into_iter()
        .flat_map(|agent| [(some(agent), None), (some(agent), some("look_up")), (some(agent), None)]);
    assert_eq!(said, [(None, None)].into_iter().chain(expected).collect::<Vec<_>>());
    assert_eq!(here(), (None, None), "nobody listens");
}

#[track_agent("sub_agent", fields(b = 2, a = 1))]
fn sub_agent() {
    info!("inside");
    look_up_and_say();
}

#[track_skill("look_up_and_say")]
fn look_up_and_say() {
    info!("deeper");
}

#[track_agent("main_agent")]
async fn main_agent() {
    info!("alone");
    tokio::spawn(context::carry(async { sub_agent() })).await.unwrap();
}

#[tokio::test]
async fn lines_of_an_agent_name_the_agent_that_called_it() {
    let lines = capture_logs_async(main_agent()).await;
    assert_eq!(
        all_said(&lines),
        [
            r#"{"agent_id":"main_agent"}"#,
            r#"{"a":1,"agent_id":"sub_agent","b":2,"parent_agent_id":"main_agent"}"#,
            r#"{"a":1,"agent_id":"sub_agent","b":2,"parent_agent_id":"main_agent","skill_id":"look_up_and_say"}"#,
        ]
    );
}
