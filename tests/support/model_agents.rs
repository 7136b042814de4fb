//! The agent for which model calls count, with a recorder of runs in the process and without one.

use futures_util::stream::{self, BoxStream, Stream, StreamExt as _};
use futures_util::{FutureExt as _, future, poll};
use monitor_runtime::testing::Recording;
use monitor_runtime::{context, track_agent, track_model, track_skill};

use crate::support::models::{Counted, Reply};

fn recording() -> Recording {
    crate::observe_calls();
    Recording::start()
}

#[track_model("agent-leaf", provider = "openai")]
async fn leaf() -> Reply {
    tokio::task::yield_now().await;
    Reply::of(10, 1)
}

#[track_agent("labels_researcher")]
async fn research() {
    for _ in 0..3 {
        leaf().await;
    }
}

#[track_agent("labels_planner")]
async fn plan() {
    leaf().await;
    research().await;
    leaf().await;
}

#[tokio::test]
async fn tokens_count_for_the_innermost_agent_only() {
    let recording = recording();
    let counted = Counted(&recording, "agent-leaf");
    plan().await;
    leaf().await;
    assert_eq!(counted.tokens_of("labels_planner"), (20.0, 2.0));
    assert_eq!(counted.tokens_of("labels_researcher"), (30.0, 3.0));
    assert_eq!(counted.tokens_of(""), (10.0, 1.0));
    assert_eq!(counted.tokens(), (60.0, 6.0), "the sum of the leaves");
}

#[track_agent("labels_left")]
async fn concurrent() {
    future::join(leaf(), research()).await;
}

#[tokio::test]
async fn agents_that_are_polled_in_turns_keep_their_tokens() {
    let recording = recording();
    let counted = Counted(&recording, "agent-leaf");
    future::join3(concurrent(), leaf(), concurrent()).await;
    assert_eq!(counted.tokens_of("labels_left"), (20.0, 2.0));
    assert_eq!(counted.tokens_of("labels_researcher"), (60.0, 6.0));
    assert_eq!(counted.tokens_of(""), (10.0, 1.0));
}

#[track_agent("labels_spawner")]
async fn spawn() {
    context::spawn(leaf()).await.unwrap();
    tokio::spawn(leaf()).await.unwrap();
}

#[tokio::test]
async fn a_task_keeps_the_agent_if_the_context_is_carried_to_it() {
    let recording = recording();
    let counted = Counted(&recording, "agent-leaf");
    spawn().await;
    assert_eq!((counted.tokens_of("labels_spawner"), counted.tokens_of("")), ((10.0, 1.0), (10.0, 1.0)));
}

#[track_model("agent-stream", provider = "openai")]
fn stream_reply() -> impl Stream<Item = Reply> + Unpin {
    stream::iter([Reply::default(), Reply::of(10, 1)])
}

/// Hides the stream, so that the agent ends when it returns.
struct Opened(BoxStream<'static, Reply>);

#[track_agent("labels_opener")]
async fn open() -> Opened {
    let mut reply = stream_reply();
    reply.next().await;
    Opened(reply.boxed())
}

#[tokio::test]
async fn a_stream_that_outlives_its_agent_counts_for_it() {
    let recording = recording();
    let Opened(reply) = open().await;
    assert_eq!(reply.count().await, 1);
    assert_eq!(Counted(&recording, "agent-stream").tokens_of("labels_opener"), (10.0, 1.0));
}

#[track_agent("labels_panicking")]
fn panics() {
    panic!("asked to");
}

#[test]
fn a_panic_leaves_the_agent() {
    let recording = recording();
    std::panic::catch_unwind(panics).unwrap_err();
    leaf_at_once();
    assert_eq!(Counted(&recording, "agent-after").tokens_of(""), (1.0, 1.0));
}

#[track_model("agent-after", provider = "openai")]
fn leaf_at_once() -> Reply {
    Reply::of(1, 1)
}

/// A stream of a skill, whose items each need a model.
#[track_skill("labels_hunt")]
fn hunt() -> impl Stream<Item = Reply> + Send {
    stream::iter([(); 3]).then(|()| leaf_of_skill())
}

#[track_model("agent-of-skill", provider = "openai")]
async fn leaf_of_skill() -> Reply {
    tokio::task::yield_now().await;
    Reply::of(10, 1)
}

#[track_agent("labels_hunter")]
async fn begin_hunt() -> Opened {
    let mut hunt = hunt().boxed();
    hunt.next().await;
    Opened(hunt)
}

#[tokio::test]
async fn a_stream_of_a_skill_that_outlives_its_agent_calls_models_for_it() {
    let recording = recording();
    let Opened(mut hunt) = begin_hunt().await;
    hunt.next().await;
    leaf_of_skill().await;
    hunt.next().await;
    let counted = Counted(&recording, "agent-of-skill");
    assert_eq!((counted.tokens_of("labels_hunter"), counted.tokens_of("")), ((30.0, 3.0), (10.0, 1.0)));
}

#[track_model("agent-of-begun", provider = "openai")]
async fn leaf_of_begun() -> Reply {
    tokio::task::yield_now().await;
    Reply::of(10, 1)
}

#[track_skill("labels_look_up")]
async fn look_up() {
    leaf_of_begun().await;
    leaf_of_begun().await;
}

/// Hides the future, so that the agent ends when it returns.
struct Begun(future::BoxFuture<'static, ()>);

#[track_agent("labels_beginner")]
async fn begin_look_up() -> Begun {
    let mut begun = look_up().boxed();
    assert!(poll!(&mut begun).is_pending());
    Begun(begun)
}

#[track_agent("labels_finisher")]
async fn finish_look_up(begun: Begun) {
    begun.0.await;
    leaf_of_begun().await;
}

#[tokio::test]
async fn a_skill_counts_for_the_agent_in_which_it_began() {
    let recording = recording();
    finish_look_up(begin_look_up().await).await;
    let counted = Counted(&recording, "agent-of-begun");
    let tokens = ["labels_beginner", "labels_finisher", ""].map(|agent| counted.tokens_of(agent));
    assert_eq!(tokens, [(20.0, 2.0), (10.0, 1.0), (0.0, 0.0)]);
}

#[track_model("agent-of-error", provider = "openai")]
fn explain() -> Reply {
    Reply::of(10, 1)
}

/// An error whose text a model writes.
#[derive(Debug)]
struct Explained;

impl std::fmt::Display for Explained {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        explain();
        f.write_str("explained")
    }
}

#[track_agent("labels_failing")]
fn fail() -> Result<(), Explained> {
    Err(Explained)
}

#[track_agent("labels_around")]
fn fail_inside() {
    let _ = fail();
}

#[test]
fn the_text_of_an_error_is_a_part_of_the_agent_that_returned_it() {
    let recording = recording();
    monitor_runtime::testing::capture_logs(fail_inside);
    let counted = Counted(&recording, "agent-of-error");
    assert_eq!(
        (counted.tokens_of("labels_failing"), counted.tokens_of("labels_around")),
        ((10.0, 1.0), (0.0, 0.0))
    );
}
