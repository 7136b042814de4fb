//! Every way out of a tracked call, each counted exactly once, with the gauge back where it was.

#![deny(warnings)]
#![allow(
    clippy::unused_async,
    clippy::needless_pass_by_value,
    reason = "each is tracked in the form that is tested"
)]

use std::cell::RefCell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _};
use monitor_runtime::testing::{Recording, capture_logs};
use monitor_runtime::{Classify, Outcome, track_agent, track_skill};

/// The totals of one skill by status, and its gauge.
#[derive(Debug, PartialEq)]
struct Counted {
    success: f64,
    error: f64,
    panic: f64,
    cancelled: f64,
    active: f64,
}

const NOTHING: Counted = Counted { success: 0.0, error: 0.0, panic: 0.0, cancelled: 0.0, active: 0.0 };

fn counted(recording: &Recording, skill: &str) -> Counted {
    let total =
        |status| recording.value("skill_executions_total", &[("skill_id", skill), ("status", status)]);
    Counted {
        success: total("success"),
        error: total("error"),
        panic: total("panic"),
        cancelled: total("cancelled"),
        active: recording.value("active_skills", &[("skill_id", skill)]),
    }
}

#[track_skill("early_return")]
fn early_return(text: &str) -> Result<u32, Box<dyn std::error::Error>> {
    if text.is_empty() {
        return Err("empty".into());
    }
    Ok(text.parse::<u32>()?)
}

#[test]
fn values_question_marks_and_returns_are_told_apart() {
    let recording = Recording::start();
    early_return("1").unwrap();
    early_return("x").unwrap_err();
    early_return("").unwrap_err();
    assert_eq!(counted(&recording, "early_return"), Counted { success: 1.0, error: 2.0, ..NOTHING });
}

#[track_skill("panics")]
fn panics() {
    panic!("on purpose");
}

#[test]
fn a_panic_is_counted_and_goes_on_to_the_caller() {
    let recording = Recording::start();
    let panicked = catch_unwind(panics).unwrap_err();
    assert_eq!(*panicked.downcast_ref::<&str>().unwrap(), "on purpose");
    assert_eq!(counted(&recording, "panics"), Counted { panic: 1.0, ..NOTHING });
}

#[track_skill("panics_async")]
async fn panics_after_a_yield() {
    tokio::task::yield_now().await;
    panic!("on purpose");
}

#[tokio::test]
async fn a_panic_between_polls_is_counted_when_it_happens() {
    let recording = Recording::start();
    let mut call = pin!(AssertUnwindSafe(panics_after_a_yield()).catch_unwind());
    call.as_mut().await.unwrap_err();
    // The future is still there; the call is not.
    assert_eq!(counted(&recording, "panics_async"), Counted { panic: 1.0, ..NOTHING });
}

#[tokio::test]
async fn a_panic_in_a_spawned_task_is_counted() {
    #[track_skill("panics_in_a_task")]
    async fn task() {
        panic!("on purpose");
    }

    let recording = Recording::start();
    assert!(tokio::spawn(task()).await.unwrap_err().is_panic());
    assert_eq!(counted(&recording, "panics_in_a_task"), Counted { panic: 1.0, ..NOTHING });
}

#[track_skill("returns_while_unwinding")]
fn returns_while_unwinding() {}

#[test]
fn a_call_made_while_the_thread_unwinds_is_judged_by_itself() {
    struct CallsInDrop;
    impl Drop for CallsInDrop {
        fn drop(&mut self) {
            returns_while_unwinding();
        }
    }

    let recording = Recording::start();
    catch_unwind(|| {
        let _calls = CallsInDrop;
        panic!("on purpose");
    })
    .unwrap_err();
    assert_eq!(counted(&recording, "returns_while_unwinding"), Counted { success: 1.0, ..NOTHING });
}

#[test]
fn calls_during_unwinding_have_outcomes_of_their_own() {
    #[track_skill("fails_while_unwinding")]
    async fn fails() -> Result<(), String> {
        Err("asked to".to_owned())
    }

    #[track_skill("panics_while_unwinding")]
    fn panics() -> Result<(), String> {
        panic!("on purpose, too");
    }

    struct CallsInDrop;
    impl Drop for CallsInDrop {
        fn drop(&mut self) {
            fails().now_or_never().unwrap().unwrap_err();
            catch_unwind(panics).unwrap_err();
        }
    }

    let recording = Recording::start();
    catch_unwind(|| {
        let _calls = CallsInDrop;
        panic!("on purpose");
    })
    .unwrap_err();
    assert_eq!(counted(&recording, "fails_while_unwinding"), Counted { error: 1.0, ..NOTHING });
    assert_eq!(counted(&recording, "panics_while_unwinding"), Counted { panic: 1.0, ..NOTHING });
}

#[tokio::test]
async fn a_call_that_catches_a_panic_inside_it_goes_on() {
    #[track_skill("catches")]
    async fn catches() -> usize {
        let caught = catch_unwind(panics).is_err();
        tokio::task::yield_now().await;
        let caught_later = AssertUnwindSafe(panics_after_a_yield()).catch_unwind().await.is_err();
        usize::from(caught) + usize::from(caught_later)
    }

    let recording = Recording::start();
    assert_eq!(catches().await, 2);
    assert_eq!(counted(&recording, "catches"), Counted { success: 1.0, ..NOTHING });
    assert_eq!(counted(&recording, "panics"), Counted { panic: 1.0, ..NOTHING });
    assert_eq!(counted(&recording, "panics_async"), Counted { panic: 1.0, ..NOTHING });
}

#[track_skill("sleeps")]
async fn sleeps() -> Result<(), String> {
    tokio::time::sleep(Duration::from_hours(1)).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_timeout_cancels() {
    let recording = Recording::start();
    tokio::time::timeout(Duration::from_secs(1), sleeps()).await.unwrap_err();
    assert_eq!(counted(&recording, "sleeps"), Counted { cancelled: 1.0, ..NOTHING });
}

#[tokio::test]
async fn the_loser_of_a_select_is_cancelled() {
    let recording = Recording::start();
    tokio::select! {
        biased;
        _ = sleeps() => unreachable!(),
        () = tokio::task::yield_now() => {}
    }
    assert_eq!(counted(&recording, "sleeps"), Counted { cancelled: 1.0, ..NOTHING });
}

#[tokio::test]
async fn an_aborted_task_is_cancelled() {
    let recording = Recording::start();
    let task = tokio::spawn(sleeps());
    tokio::task::yield_now().await;
    assert_eq!(counted(&recording, "sleeps"), Counted { active: 1.0, ..NOTHING });
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    assert_eq!(counted(&recording, "sleeps"), Counted { cancelled: 1.0, ..NOTHING });
}

#[test]
fn a_future_that_is_never_polled_is_no_call() {
    let recording = Recording::start();
    drop(sleeps());
    assert_eq!(counted(&recording, "sleeps"), NOTHING);
}

#[test]
fn a_future_may_move_between_threads_during_its_call() {
    #[track_skill("moves")]
    async fn moves() {
        tokio::task::yield_now().await;
    }

    let recording = Recording::start();
    let mut call = Box::pin(moves());
    assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert_eq!(counted(&recording, "moves"), Counted { active: 1.0, ..NOTHING });
    std::thread::spawn(move || {
        assert_eq!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(()));
    })
    .join()
    .unwrap();
    assert_eq!(counted(&recording, "moves"), Counted { success: 1.0, ..NOTHING });
}

type Done = Result<(), String>;
type DoneAgain = Done;

trait Answers {
    type Answer;

    fn answer(&self) -> Self::Answer;
    async fn answer_later(&self) -> Self::Answer;
}

impl Answers for &str {
    type Answer = Result<usize, String>;

    #[track_skill("associated")]
    fn answer(&self) -> Self::Answer {
        if self.is_empty() { Err("empty".to_owned()) } else { Ok(self.len()) }
    }

    #[track_skill("associated_async")]
    async fn answer_later(&self) -> Self::Answer {
        tokio::task::yield_now().await;
        self.answer()
    }
}

#[tokio::test]
async fn a_result_is_judged_by_whatever_name() {
    #[track_skill("alias")]
    fn alias(done: Done) -> DoneAgain {
        done
    }

    #[track_caller]
    #[track_skill("alias_in_place")]
    fn alias_in_place(done: Done) -> DoneAgain {
        done
    }

    #[track_skill("generic")]
    async fn generic<T, E>(done: Result<T, E>) -> Result<T, E> {
        done
    }

    let recording = Recording::start();
    for done in [Ok(()), Err("asked to".to_owned())] {
        drop((alias(done.clone()), alias_in_place(done.clone()), generic(done).await));
    }
    for text in ["text", ""] {
        drop((text.answer(), text.answer_later().await));
    }
    for skill in ["alias", "alias_in_place", "generic", "associated_async"] {
        let expected = Counted { success: 1.0, error: 1.0, ..NOTHING };
        assert_eq!(counted(&recording, skill), expected, "{skill}");
    }
    assert_eq!(counted(&recording, "associated"), Counted { success: 2.0, error: 2.0, ..NOTHING });
}

struct Reply {
    refused: bool,
}

impl Classify for Reply {
    fn outcome(&self) -> Outcome {
        if self.refused { Outcome::Error } else { Outcome::Success }
    }
}

#[track_skill("classified")]
fn classified(refused: bool) -> Reply {
    Reply { refused }
}

type Answer<T> = Result<T, std::fmt::Error>;

#[track_skill("classified_in_ok")]
async fn classified_in_ok(refused: bool) -> Answer<Reply> {
    Ok(Reply { refused })
}

#[tokio::test]
async fn a_type_decides_for_itself_alone_and_inside_ok() {
    let recording = Recording::start();
    classified(true);
    classified(false);
    classified_in_ok(true).await.unwrap();
    classified_in_ok(false).await.unwrap();
    assert_eq!(counted(&recording, "classified"), Counted { success: 1.0, error: 1.0, ..NOTHING });
    assert_eq!(counted(&recording, "classified_in_ok"), Counted { success: 1.0, error: 1.0, ..NOTHING });
}

#[expect(clippy::ptr_arg, reason = "a predicate takes the result by reference, whatever it is")]
fn is_too_short(answer: &String) -> bool {
    answer.len() < 3
}

#[track_skill("error_if", error_if = is_too_short)]
fn judged_by_a_path(answer: &str) -> String {
    answer.to_owned()
}

#[track_skill("ok_if", ok_if = |answer: &Result<u8, String>| answer.as_ref().is_err_and(|error| error == "not found"))]
async fn judged_by_a_closure(answer: Result<u8, String>) -> Result<u8, String> {
    answer
}

#[tokio::test]
async fn error_if_and_ok_if_decide_in_place_of_the_type() {
    let recording = Recording::start();
    judged_by_a_path("no");
    judged_by_a_path("long enough");
    assert_eq!(counted(&recording, "error_if"), Counted { success: 1.0, error: 1.0, ..NOTHING });
    judged_by_a_closure(Err("not found".to_owned())).await.unwrap_err();
    judged_by_a_closure(Ok(1)).await.unwrap();
    assert_eq!(counted(&recording, "ok_if"), Counted { success: 1.0, error: 1.0, ..NOTHING });
}

#[test]
fn a_classifier_that_panics_makes_the_call_a_panic() {
    struct Undecided;
    impl Classify for Undecided {
        fn outcome(&self) -> Outcome {
            panic!("cannot say")
        }
    }
    #[track_skill("undecided")]
    fn undecided() -> Undecided {
        Undecided
    }

    let recording = Recording::start();
    assert!(catch_unwind(undecided).is_err());
    assert_eq!(counted(&recording, "undecided"), Counted { panic: 1.0, ..NOTHING });
}

/// Says its name when it is dropped.
struct Says<'a>(&'a RefCell<Vec<&'static str>>, &'static str);

impl Says<'_> {
    fn touch(&self) {
        let _ = self.1;
    }
}

impl Drop for Says<'_> {
    fn drop(&mut self) {
        self.0.borrow_mut().push(self.1);
    }
}

impl<'a> Says<'a> {
    #[expect(clippy::needless_pass_by_value, reason = "when it is dropped is what is tested")]
    fn plain(self, other: Says<'a>) -> &'a RefCell<Vec<&'static str>> {
        self.touch();
        other.touch();
        self.0
    }

    #[track_agent]
    fn tracked(self, other: Says<'a>) -> &'a RefCell<Vec<&'static str>> {
        self.touch();
        other.touch();
        self.0
    }
}

impl std::fmt::Display for Says<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.1)
    }
}

/// The same function twice, plain and tracked.
macro_rules! twins {
    ($($keyword:ident)? ($($parameter:pat_param),*) $body:block) => {
        $($keyword)? fn plain<'a>($($parameter: Says<'a>),*) -> &'a RefCell<Vec<&'static str>> $body
        #[track_agent]
        $($keyword)? fn tracked<'a>($($parameter: Says<'a>),*) -> &'a RefCell<Vec<&'static str>> $body
    };
}

#[test]
fn parameters_are_dropped_in_the_order_of_the_plain_function() {
    twins!((first, _unused, mut third) {
        let local = Says(first.0, "local");
        first.touch();
        third.1 = "third, changed";
        third.touch();
        local.0
    });

    let (said, expected) = (RefCell::default(), RefCell::default());
    tracked(Says(&said, "first"), Says(&said, "second"), Says(&said, "third"));
    plain(Says(&expected, "first"), Says(&expected, "second"), Says(&expected, "third"));
    assert_eq!(said, expected);
    assert_eq!(said.borrow().len(), 4);
}

#[test]
fn parameters_named_in_format_texts_are_dropped_in_order() {
    #[expect(clippy::needless_pass_by_value, reason = "when it is dropped is what is tested")]
    fn plain(first: Says<'_>, second: Says<'_>) -> String {
        format!("{first} {second:>8}")
    }

    #[track_agent]
    fn tracked(first: Says<'_>, second: Says<'_>) -> String {
        format!("{first} {second:>8}")
    }

    let (said, expected) = (RefCell::default(), RefCell::default());
    Says(&said, "self").tracked(Says(&said, "other"));
    tracked(Says(&said, "first"), Says(&said, "second"));
    Says(&expected, "self").plain(Says(&expected, "other"));
    plain(Says(&expected, "first"), Says(&expected, "second"));
    assert_eq!(said, expected);
}

#[test]
fn ignored_arguments_are_dropped_in_order_too() {
    twins!((first, _, third) {
        third.touch();
        first.0
    });

    let (said, expected) = (RefCell::default(), RefCell::default());
    tracked(Says(&said, "first"), Says(&said, "second"), Says(&said, "third"));
    plain(Says(&expected, "first"), Says(&expected, "second"), Says(&expected, "third"));
    assert_eq!(said, expected);
    assert_eq!(said.borrow().len(), 3);
}

/// A line of its destructor carries the call's id.
struct Logs;

impl Drop for Logs {
    fn drop(&mut self) {
        tracing::info!("dropped");
    }
}

impl Logs {
    #[track_skill("logs")]
    fn close(self) {}

    #[track_skill("logs")]
    fn close_boxed(self: Box<Self>) -> Result<(), String> {
        Ok(())
    }
}

#[test]
fn unmentioned_arguments_are_dropped_inside_the_call() {
    /// An alias by the name of a type that drops nothing.
    type Path = Logs;

    mod own {
        pub(super) type Result<T> = std::result::Result<T, super::Logs>;
    }

    #[track_skill("logs")]
    fn ignored(_: Box<Logs>) {}

    #[track_skill("logs")]
    fn named_as_a_standard_type(_path: Path) -> usize {
        1
    }

    #[track_skill("logs")]
    fn hidden_in_an_alias(_result: own::Result<u8>) -> usize {
        1
    }

    #[track_skill("logs")]
    async fn ignored_later(_: Option<Logs>) -> Result<(), String> {
        Ok(())
    }

    let forms: [(&str, &dyn Fn()); 6] = [
        ("receiver", &|| Logs.close()),
        ("boxed receiver", &|| Box::new(Logs).close_boxed().unwrap()),
        ("ignored", &|| ignored(Box::new(Logs))),
        ("name", &|| assert_eq!(named_as_a_standard_type(Logs), 1)),
        ("alias", &|| assert_eq!(hidden_in_an_alias(Err(Logs)), 1)),
        ("async", &|| ignored_later(Some(Logs)).now_or_never().unwrap().unwrap()),
    ];
    for (form, call) in forms {
        let lines = capture_logs(call);
        let dropped: Vec<_> = lines.iter().map(|line| [&line["event"], &line["skill_id"]]).collect();
        assert_eq!(dropped, [["dropped", "logs"]], "{form}");
    }
}

#[test]
fn a_parameter_is_dropped_whole_although_its_body_takes_a_part() {
    #[expect(clippy::needless_pass_by_value, reason = "when it is dropped is what is tested")]
    fn plain(pair: (Says<'_>, Says<'_>)) {
        pair.1.touch();
    }

    #[track_agent]
    fn tracked(pair: (Says<'_>, Says<'_>)) {
        pair.1.touch();
    }

    let (said, expected) = (RefCell::default(), RefCell::default());
    tracked((Says(&said, "left"), Says(&said, "right")));
    plain((Says(&expected, "left"), Says(&expected, "right")));
    assert_eq!(said, expected);
}

#[tokio::test]
async fn parameters_of_an_async_function_are_dropped_in_order_too() {
    twins!(async (first, _, third) {
        third.touch();
        tokio::task::yield_now().await;
        let local = Says(first.0, "local");
        first.touch();
        local.0
    });

    let (said, expected) = (RefCell::default(), RefCell::default());
    tracked(Says(&said, "first"), Says(&said, "second"), Says(&said, "third")).await;
    plain(Says(&expected, "first"), Says(&expected, "second"), Says(&expected, "third")).await;
    assert_eq!(said, expected);
    assert_eq!(said.borrow().len(), 4);
}

/// An error that cannot be put into words.
#[derive(Debug)]
struct Unspeakable;

impl std::fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("on purpose")
    }
}

impl std::error::Error for Unspeakable {}

#[track_agent("unspeakable_sync")]
fn fails_unspeakably() -> Result<(), Unspeakable> {
    Err(Unspeakable)
}

#[track_agent("unspeakable_future")]
fn fails_unspeakably_later() -> impl Future<Output = Result<(), Unspeakable>> {
    std::future::ready(Err(Unspeakable))
}

#[test]
fn an_error_that_panics_as_it_is_logged_ends_its_call_once() {
    let recording = Recording::start();
    let _lines = capture_logs(|| {
        assert!(catch_unwind(fails_unspeakably).is_err());
        assert!(catch_unwind(AssertUnwindSafe(|| fails_unspeakably_later().now_or_never())).is_err());
    });
    for agent in ["unspeakable_sync", "unspeakable_future"] {
        let ended =
            |status| recording.value("agent_executions_total", &[("agent_id", agent), ("status", status)]);
        assert_eq!((ended("error"), ended("panic")), (1.0, 0.0), "{agent}");
        assert_eq!(recording.value("active_agents", &[("agent_id", agent)]), 0.0);
    }
}

#[track_skill("polled_after_a_panic")]
fn panics_once() -> impl Future<Output = ()> {
    let mut has_panicked = false;
    std::future::poll_fn(move |_| {
        assert!(std::mem::replace(&mut has_panicked, true), "on purpose");
        Poll::Ready(())
    })
}

#[test]
fn a_future_that_panicked_is_not_polled_again() {
    let recording = Recording::start();
    let mut future = pin!(panics_once());
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..2 {
        assert!(catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut context))).is_err());
    }
    assert_eq!(counted(&recording, "polled_after_a_panic"), Counted { panic: 1.0, ..NOTHING });
}

/// A tracked future or stream keeps the promises of the plain one beyond `Send`.
mod promised {
    use std::panic::{RefUnwindSafe, UnwindSafe};
    use std::pin::Pin;

    use futures_util::{Stream, stream};

    use super::track_skill;

    #[track_skill("promised_async")]
    pub(super) async fn asynchronous(goal: String) -> Result<usize, String> {
        std::future::ready(()).await;
        assert_ne!(goal, "panic", "on purpose");
        inner(goal).await
    }

    #[track_skill("promised_inner")]
    async fn inner(goal: String) -> Result<usize, String> {
        std::future::ready(()).await;
        Ok(goal.len())
    }

    #[track_skill("promised_future")]
    pub(super) fn future() -> impl Future<Output = u8> + Send + Sync + UnwindSafe + RefUnwindSafe {
        async { 1 }
    }

    #[track_skill("promised_unpin")]
    pub(super) fn unpin() -> impl Future<Output = u8> + Unpin + UnwindSafe + RefUnwindSafe {
        std::future::ready(1)
    }

    #[track_skill("promised_stream")]
    pub(super) fn items() -> impl Stream<Item = u8> + Send + Sync + Unpin + UnwindSafe + RefUnwindSafe {
        stream::iter([1, 2])
    }

    #[track_skill("promised_opened")]
    pub(super) async fn opened() -> Result<impl Stream<Item = u8> + UnwindSafe + RefUnwindSafe, String> {
        std::future::ready(()).await;
        Ok(stream::iter([1, 2]))
    }

    #[track_skill("promised_boxed")]
    pub(super) fn boxed() -> Pin<Box<dyn Future<Output = u8> + Send + UnwindSafe>> {
        std::future::pending().boxed_unwind_safe()
    }

    #[track_skill("promised_boxed_stream")]
    pub(super) fn boxed_stream() -> Pin<Box<dyn Stream<Item = u8> + Send + Unpin + RefUnwindSafe>> {
        Box::pin(stream::pending())
    }

    trait Boxed: Future + Send + UnwindSafe + Sized + 'static {
        fn boxed_unwind_safe(self) -> Pin<Box<dyn Future<Output = Self::Output> + Send + UnwindSafe>> {
            Box::pin(self)
        }
    }

    impl<F: Future + Send + UnwindSafe + 'static> Boxed for F {}
}

#[tokio::test]
async fn auto_traits_of_a_future_are_kept() {
    let recording = Recording::start();
    assert_eq!(promised::asynchronous("goal".to_owned()).catch_unwind().await.unwrap(), Ok(4));
    promised::asynchronous("panic".to_owned()).catch_unwind().await.unwrap_err();
    assert_eq!(promised::future().catch_unwind().await.unwrap() + promised::unpin().await, 2);
    assert_eq!(promised::items().catch_unwind().count().await, 2);
    assert_eq!(promised::opened().catch_unwind().await.unwrap().unwrap().count().await, 2);
    let counted = counted(&recording, "promised_async");
    assert_eq!(counted, Counted { success: 1.0, panic: 1.0, ..NOTHING });
}

#[tokio::test]
async fn a_boxed_future_is_one_whatever_it_promises() {
    let recording = Recording::start();
    assert!(promised::boxed().now_or_never().is_none());
    assert!(promised::boxed_stream().next().now_or_never().is_none());
    assert_eq!(counted(&recording, "promised_boxed"), Counted { cancelled: 1.0, ..NOTHING });
    assert_eq!(counted(&recording, "promised_boxed_stream"), Counted { cancelled: 1.0, ..NOTHING });
}
