//! An error that a tracked call returns is logged once, by the innermost call that saw it.

#![allow(clippy::unused_async, reason = "the form is what is tested")]

use std::fmt;

use futures_util::StreamExt as _;
use monitor_runtime::context;
use monitor_runtime::testing::capture_logs;
use monitor_runtime::{track_agent, track_query, track_skill};
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use serde_json::Value;
use tracing::instrument::{Instrument as _, WithSubscriber as _};

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
fn a_different_error_is_logged_after_an_inner_one() {
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

#[derive(Debug)]
struct StoreError(std::io::Error);

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the store failed ({}) and gave up", self.0)
    }
}

impl std::error::Error for StoreError {}

#[track_agent("converts")]
fn converts() -> Result<(), StoreError> {
    load_index().map_err(StoreError)
}

#[track_agent("formats")]
fn formats() -> Result<(), String> {
    with_chain().map_err(|error| format!("no answer: {error}"))
}

#[test]
fn an_error_that_is_converted_on_its_way_is_logged_once() {
    for run in [|| drop(converts().unwrap_err()), || drop(formats().unwrap_err())] {
        let lines = failures(capture_logs(run));
        assert_eq!(lines.len(), 1, "{lines:#?}");
    }
}

#[track_agent("other_source")]
fn other_source() -> Result<(), SearchError> {
    let _ = with_chain();
    Err(SearchError(std::io::Error::other("no connection")))
}

#[test]
fn an_equal_message_with_another_source_is_logged() {
    let lines = failures(capture_logs(|| {
        other_source().unwrap_err();
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
fn an_error_of_a_spawned_call_is_not_logged_by_its_caller() {
    let lines = failures(capture_logs(|| {
        block_on(spawns()).unwrap_err();
    }));
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert_eq!(lines[0]["agent_id"], "spawns");
}

/// The result of `run` on a thread with a generous time limit.
fn to_an_end<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || sender.send(run()));
    ended.recv_timeout(std::time::Duration::from_mins(2)).expect("it comes to an end")
}

/// The line about the one call that failed.
fn one_failure(run: impl FnOnce() + Send + 'static) -> Value {
    let mut lines = failures(to_an_end(|| capture_logs(run)));
    assert_eq!(lines.len(), 1, "{lines:#?}");
    lines.remove(0)
}

/// An error whose source is another of the two, or itself.
#[derive(Debug)]
enum Circle {
    Itself,
    Left,
    Right,
}

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Itself => "again",
            Self::Left => "left",
            Self::Right => "right",
        })
    }
}

impl std::error::Error for Circle {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(match self {
            Self::Itself => &Self::Itself,
            Self::Left => &Self::Right,
            Self::Right => &Self::Left,
        })
    }
}

#[track_skill("circle")]
fn goes_round(error: Circle) -> Result<(), Circle> {
    Err(error)
}

#[track_skill("circle_later")]
async fn goes_round_later(error: Circle) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    tokio::task::yield_now().await;
    goes_round(error)?;
    Ok(())
}

#[test]
fn a_chain_that_is_a_circle_comes_to_an_end_and_says_so() {
    let line = one_failure(|| goes_round(Circle::Itself).map_err(drop).unwrap_err());
    assert_eq!(line["error"], "again");
    let chain = line["error.chain"].as_str().unwrap();
    assert_eq!(chain.strip_suffix(": …[truncated after 64 sources]").unwrap(), ["again"; 64].join(": "));

    let line = one_failure(|| goes_round(Circle::Left).map_err(drop).unwrap_err());
    let chain = line["error.chain"].as_str().unwrap();
    assert!(chain.starts_with("right: left: right") && chain.ends_with("64 sources]"), "{chain}");
}

#[test]
fn a_circle_that_travels_outward_is_logged_once() {
    let line = one_failure(|| {
        block_on(goes_round_later(Circle::Right)).unwrap_err();
    });
    assert_eq!(line["skill_id"], "circle");
}

/// Ends when it is told to, and not before.
#[derive(Debug)]
struct Endless;

impl fmt::Display for Endless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        loop {
            f.write_str("and so on ")?;
        }
    }
}

impl std::error::Error for Endless {}

/// An error without end, as the source of another, as a text, and by its `Debug` alone.
struct EndlessDebug;

impl fmt::Debug for EndlessDebug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Endless, f)
    }
}

#[track_skill("endless")]
fn endless() -> Result<(), Endless> {
    Err(Endless)
}

#[track_skill("endless_source")]
fn endless_source() -> Result<(), SearchError> {
    Err(SearchError(std::io::Error::other(Endless)))
}

#[track_skill("endless_debug")]
fn endless_debug() -> Result<(), EndlessDebug> {
    Err(EndlessDebug)
}

#[test]
fn an_error_that_writes_without_end_is_cut_and_says_so() {
    let is_cut = |text: &Value| {
        let text = text.as_str().unwrap();
        text.starts_with("and so on") && text.ends_with("…[truncated]") && text.len() < 3 << 20
    };
    assert!(is_cut(
        &one_failure(|| {
            endless().unwrap_err();
        })["error"]
    ));
    assert!(is_cut(
        &one_failure(|| {
            endless_debug().unwrap_err();
        })["error"]
    ));
    let line = one_failure(|| {
        endless_source().unwrap_err();
    });
    assert_eq!(line["error"], "search failed");
    assert!(is_cut(&line["error.chain"]));
}

#[test]
fn a_field_that_is_formatted_without_end_is_cut_and_says_so() {
    let lines = to_an_end(|| {
        capture_logs(|| {
            tracing::info!(error = &Endless as &dyn std::error::Error, "recorded");
            tracing::info!(error = %Endless, "displayed");
            tracing::info!(error = ?EndlessDebug, "debugged");
        })
    });
    for line in lines {
        assert!(line["error"].as_str().unwrap().ends_with("…[truncated]"), "{}", line["event"]);
    }
}

/// An error that is put into words by a call which fails with it.
#[derive(Debug)]
struct Recursive;

#[track_skill("recursive")]
fn recursive() -> Result<(), Recursive> {
    Err(Recursive)
}

impl fmt::Display for Recursive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed = recursive().is_err();
        tracing::info!(failed, "formatted");
        f.write_str("recursive")
    }
}

impl std::error::Error for Recursive {}

#[test]
fn an_error_whose_text_repeats_the_failing_call_terminates() {
    let lines = to_an_end(|| {
        capture_logs(|| {
            recursive().unwrap_err();
        })
    });
    let lines = failures(lines);
    assert!(!lines.is_empty() && lines.len() < 10, "{} lines", lines.len());
    assert_eq!(lines.last().unwrap()["error"], "recursive");
}

#[track_skill("speaks")]
fn fails_with_what_speaks(error: Speaks) -> Result<(), Speaks> {
    Err(error)
}

/// An error that logs as it is formatted.
#[derive(Debug)]
struct Speaks;

impl fmt::Display for Speaks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        tracing::info!("formatted");
        f.write_str("spoken")
    }
}

#[test]
fn an_error_is_put_into_words_once_inside_of_its_call() {
    let lines = capture_logs(|| {
        fails_with_what_speaks(Speaks).unwrap_err();
    });
    let said: Vec<_> = lines.iter().map(|line| (&line["event"], &line["skill_id"])).collect();
    let [formatted, failed] = ["formatted", "skill failed"].map(Value::from);
    let speaks = Value::from("speaks");
    assert_eq!(said, [(&formatted, &speaks), (&failed, &speaks)]);
}

#[track_skill("leaf")]
async fn leaf() -> Result<(), String> {
    tokio::task::yield_now().await;
    Err("disk gone".to_owned())
}

#[track_skill("blocking_leaf")]
fn blocking_leaf() -> Result<(), String> {
    Err("disk gone".to_owned())
}

/// The one line of a run by an agent of that name, whose error was logged by that skill.
#[track_caller]
fn assert_logged_once(run: impl FnOnce(), skill: &str, agent: &str) {
    let lines = failures(capture_logs(run));
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert_eq!((&lines[0]["skill_id"], &lines[0]["agent_id"]), (&skill.into(), &agent.into()));
}

#[track_agent("joins")]
async fn joins() -> Result<(), String> {
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(context::carry(leaf()));
    tasks.join_next().await.unwrap().unwrap()
}

#[track_agent("joins_in_span")]
async fn joins_in_span() -> Result<(), String> {
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(leaf().in_current_span().with_current_subscriber());
    tasks.join_next().await.unwrap().unwrap()
}

#[track_agent("blocks")]
async fn blocks() -> Result<(), String> {
    context::spawn_blocking(blocking_leaf).await.unwrap()
}

#[test]
fn an_error_of_a_task_is_logged_once_however_it_was_spawned() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    assert_logged_once(
        || {
            runtime.block_on(joins()).unwrap_err();
        },
        "leaf",
        "joins",
    );
    assert_logged_once(
        || {
            runtime.block_on(joins_in_span()).unwrap_err();
        },
        "leaf",
        "joins_in_span",
    );
    assert_logged_once(
        || {
            runtime.block_on(blocks()).unwrap_err();
        },
        "blocking_leaf",
        "blocks",
    );
}

#[track_agent("threads")]
fn threads() -> Result<(), String> {
    let here = context::current();
    std::thread::scope(|scope| scope.spawn(|| here.in_scope(blocking_leaf)).join().unwrap())
}

#[track_agent("hands_over")]
fn hands_over() -> Result<(), String> {
    std::thread::spawn(context::in_scope(blocking_leaf)).join().unwrap()
}

#[track_agent("threads_in_span")]
fn threads_in_span() -> Result<(), String> {
    let span = tracing::Span::current();
    let subscriber = tracing::dispatcher::get_default(Clone::clone);
    std::thread::scope(|scope| {
        let work = || tracing::dispatcher::with_default(&subscriber, || span.in_scope(blocking_leaf));
        scope.spawn(work).join().unwrap()
    })
}

#[track_agent("parallel")]
fn parallel() -> Result<(), String> {
    let here = context::current();
    [1].into_par_iter().try_for_each(|_| here.in_scope(blocking_leaf))
}

#[track_agent("joins_parts")]
fn joins_parts() -> Result<(), String> {
    let here = context::current();
    let (left, right) = rayon::join(|| here.in_scope(blocking_leaf), || here.in_scope(|| Ok(())));
    left.and(right)
}

#[test]
fn an_error_of_another_thread_is_logged_once_by_its_call() {
    assert_logged_once(
        || {
            threads().unwrap_err();
        },
        "blocking_leaf",
        "threads",
    );
    assert_logged_once(
        || {
            hands_over().unwrap_err();
        },
        "blocking_leaf",
        "hands_over",
    );
    assert_logged_once(
        || {
            threads_in_span().unwrap_err();
        },
        "blocking_leaf",
        "threads_in_span",
    );
    assert_logged_once(
        || {
            parallel().unwrap_err();
        },
        "blocking_leaf",
        "parallel",
    );
    assert_logged_once(
        || {
            joins_parts().unwrap_err();
        },
        "blocking_leaf",
        "joins_parts",
    );
}

#[track_skill("items", stream)]
fn items() -> impl futures_util::Stream<Item = Result<u8, String>> {
    futures_util::stream::iter([Err("disk gone".to_owned()), Err("disk gone".to_owned())])
}

#[test]
fn each_error_of_a_stream_is_logged_also_inside_of_a_span() {
    let lines = failures(capture_logs(|| {
        let _request = tracing::info_span!("request").entered();
        block_on(items().for_each(async |_| ()));
    }));
    assert_eq!(lines.len(), 2, "{lines:#?}");
}
