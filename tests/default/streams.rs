//! Functions that return a future or a stream: the call is what the caller polls, not its making.

#![allow(
    clippy::elidable_lifetime_names,
    clippy::implied_bounds_in_impls,
    reason = "the form is what is tested"
)]
#![deny(warnings)]

use std::pin::Pin;

use futures_util::future::{self, BoxFuture, FusedFuture, FutureExt as _, TryFuture};
use futures_util::stream::{self, BoxStream, FusedStream, Stream, StreamExt as _, TryStream};
use monitor_runtime::testing::{Recording, capture_logs};
use monitor_runtime::{track_agent, track_skill};

#[track_caller]
fn assert_counts(recording: &Recording, skill: &str, expected: &[(&str, f64)]) {
    for status in ["success", "error", "panic", "cancelled"] {
        let wanted = expected.iter().find(|(name, _)| *name == status).map_or(0.0, |(_, count)| *count);
        let counted = recording.value("skill_executions_total", &[("skill_id", skill), ("status", status)]);
        assert_eq!(counted, wanted, "{skill} {status}");
    }
    assert_eq!(recording.value("active_skills", &[("skill_id", skill)]), 0.0, "{skill} in flight");
}

mod futures {
    use super::*;

    #[track_skill]
    fn opaque(succeeds: bool) -> impl Future<Output = Result<u8, String>> + Send {
        let made = u8::from(succeeds);
        async move { if succeeds { Ok(made) } else { Err("asked to fail".to_owned()) } }
    }

    #[track_skill]
    fn chained(number: u8) -> impl Future<Output = u8> {
        async move { number }.map(|number| number + 1).boxed()
    }

    #[track_skill]
    fn boxed<'a>(text: &'a str) -> Pin<Box<dyn Future<Output = Result<usize, String>> + Send + 'a>> {
        let length = text.len();
        if text.is_empty() {
            return Box::pin(async { Err("empty".to_owned()) });
        }
        Box::pin(async move { Ok(length) })
    }

    #[track_skill]
    fn well_known_alias(number: u8) -> BoxFuture<'static, u8> {
        async move { number }.boxed()
    }

    type Reply<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

    #[track_skill]
    fn own_alias<T: Clone>(value: &T) -> Reply<'_, T> {
        Box::pin(async { value.clone() })
    }

    struct Plain(u8);

    #[track_skill]
    fn no_future() -> Plain {
        Plain(1)
    }

    #[tokio::test]
    async fn a_returned_future_is_the_call() {
        let recording = Recording::start();
        assert_eq!(opaque(true).await, Ok(1));
        opaque(false).await.unwrap_err();
        assert_eq!(chained(1).await, 2);
        assert_eq!(boxed("ab").await, Ok(2));
        boxed("").await.unwrap_err();
        assert_eq!(well_known_alias(1).await, 1);
        assert_eq!(own_alias(&1).await, 1);
        assert_eq!(no_future().0, 1);
        assert_counts(&recording, "opaque", &[("success", 1.0), ("error", 1.0)]);
        assert_counts(&recording, "chained", &[("success", 1.0)]);
        assert_counts(&recording, "boxed", &[("success", 1.0), ("error", 1.0)]);
        assert_counts(&recording, "well_known_alias", &[("success", 1.0)]);
        assert_counts(&recording, "own_alias", &[("success", 1.0)]);
        assert_counts(&recording, "no_future", &[("success", 1.0)]);
    }

    #[test]
    fn a_returned_future_that_is_never_polled_is_no_call() {
        let recording = Recording::start();
        drop(opaque(true));
        drop(boxed("ab"));
        drop(own_alias(&1));
        assert_counts(&recording, "opaque", &[]);
        assert_counts(&recording, "boxed", &[]);
        assert_counts(&recording, "own_alias", &[]);
    }

    #[test]
    fn a_returned_future_binds_its_log_lines() {
        #[track_agent("logs_inside")]
        fn logs_inside() -> BoxFuture<'static, ()> {
            Box::pin(async { tracing::info!("inside") })
        }

        let lines = capture_logs(|| logs_inside().now_or_never());
        assert_eq!(lines[0]["agent_id"], "logs_inside");
    }

    #[test]
    fn a_future_made_in_the_calls_span_runs_in_it() {
        #[track_agent("takes_its_span_along", fields(asked))]
        fn takes_its_span_along(asked: u8) -> impl Future<Output = ()> {
            let span = tracing::Span::current();
            async move { span.in_scope(|| tracing::info!("inside")) }
        }

        let lines = capture_logs(|| takes_its_span_along(1).now_or_never());
        assert_eq!(lines[0]["agent_id"], "takes_its_span_along");
        assert_eq!(lines[0]["asked"], 1);
    }
}

mod of_streams {
    use super::*;

    #[track_skill]
    fn numbers(to: u8) -> impl Stream<Item = u8> {
        stream::iter(0..to)
    }

    #[track_skill]
    fn fallible(items: Vec<Result<u8, String>>) -> BoxStream<'static, Result<u8, String>> {
        stream::iter(items).boxed()
    }

    type Tokens<'a> = Pin<Box<dyn Stream<Item = u8> + Send + 'a>>;

    #[track_skill]
    fn behind_an_alias(bytes: &[u8]) -> Tokens<'_> {
        Box::pin(stream::iter(bytes.iter().copied()))
    }

    #[track_skill(stream)]
    async fn behind_an_alias_async(bytes: &[u8]) -> Tokens<'_> {
        tokio::task::yield_now().await;
        Box::pin(stream::iter(bytes.iter().copied()))
    }

    #[track_skill]
    async fn opened(succeeds: bool) -> Result<impl Stream<Item = u8>, String> {
        tokio::task::yield_now().await;
        if succeeds { Ok(stream::iter([1, 2])) } else { Err("asked to fail".to_owned()) }
    }

    #[track_skill]
    async fn opened_boxed(succeeds: bool) -> Result<BoxStream<'static, u8>, String> {
        if succeeds { Ok(stream::iter([1, 2]).boxed()) } else { Err("asked to fail".to_owned()) }
    }

    #[track_skill(stream)]
    async fn opened_behind_an_alias(bytes: &[u8]) -> Result<Tokens<'_>, String> {
        if bytes.is_empty() {
            return Err("empty".to_owned());
        }
        Ok(Box::pin(stream::iter(bytes.iter().copied())))
    }

    #[track_skill]
    fn opened_at_once(succeeds: bool) -> Result<impl Stream<Item = u8>, String> {
        tracing::info!("opening");
        if !succeeds {
            return Err("asked to fail".to_owned());
        }
        Ok(stream::iter([1, 2]))
    }

    #[track_skill(error_if = |item: &u8| *item == 2)]
    fn boxed_at_once<'a>(bytes: &'a [u8]) -> std::io::Result<BoxStream<'a, u8>> {
        let first = bytes.first().ok_or(std::io::ErrorKind::UnexpectedEof)?;
        Ok(stream::iter([*first, bytes[1]]).boxed())
    }

    #[track_skill(stream)]
    fn alias_at_once(bytes: &[u8]) -> Result<Tokens<'_>, String> {
        if bytes.is_empty() { Err("empty".to_owned()) } else { Ok(Box::pin(stream::iter(bytes.to_vec()))) }
    }

    #[track_skill]
    async fn borrowing(bytes: &[u8]) -> impl Stream<Item = &u8> {
        tokio::task::yield_now().await;
        stream::iter(bytes)
    }

    #[track_skill(error_if = |item: &u8| *item == 2)]
    fn judged_by_item() -> impl Stream<Item = u8> {
        stream::iter([1, 2, 3])
    }

    #[tokio::test]
    async fn a_stream_is_a_call_until_its_end() {
        let recording = Recording::start();
        let mut stream = std::pin::pin!(numbers(3));
        assert_eq!(stream.next().await, Some(0));
        assert_eq!(recording.value("active_skills", &[("skill_id", "numbers")]), 1.0);
        assert_eq!(stream.by_ref().count().await, 2);
        assert_counts(&recording, "numbers", &[("success", 1.0)]);
        assert_eq!(stream.next().await, None, "polled after its end it stays at its end");

        assert_eq!(behind_an_alias(&[1, 2]).count().await, 2);
        assert_eq!(behind_an_alias_async(&[1, 2]).await.count().await, 2);
        assert_eq!(opened(true).await.unwrap().count().await, 2);
        assert_eq!(opened_boxed(true).await.unwrap().count().await, 2);
        assert_eq!(opened_behind_an_alias(&[1, 2]).await.unwrap().count().await, 2);
        assert_eq!(borrowing(&[1, 2]).await.count().await, 2);
        for skill in [
            "behind_an_alias",
            "behind_an_alias_async",
            "opened",
            "opened_boxed",
            "opened_behind_an_alias",
            "borrowing",
        ] {
            assert_counts(&recording, skill, &[("success", 1.0)]);
        }
    }

    #[tokio::test]
    async fn a_stream_that_cannot_be_opened_is_an_error() {
        let recording = Recording::start();
        assert!(opened(false).await.is_err());
        assert!(opened_boxed(false).await.is_err());
        assert!(opened_behind_an_alias(&[]).await.is_err());
        assert_counts(&recording, "opened_behind_an_alias", &[("error", 1.0)]);
        assert_counts(&recording, "opened", &[("error", 1.0)]);
        assert_counts(&recording, "opened_boxed", &[("error", 1.0)]);
    }

    #[tokio::test]
    async fn a_stream_from_a_sync_result_is_a_call_until_its_end() {
        let recording = Recording::start();
        let stream = opened_at_once(true).unwrap();
        assert_eq!(recording.value("active_skills", &[("skill_id", "opened_at_once")]), 1.0);
        assert_eq!(stream.count().await, 2);
        drop(opened_at_once(true).unwrap());
        assert!(opened_at_once(false).is_err());
        let counts = [("success", 1.0), ("cancelled", 1.0), ("error", 1.0)];
        assert_counts(&recording, "opened_at_once", &counts);

        assert_eq!(boxed_at_once(&[1, 3]).unwrap().count().await, 2);
        assert_eq!(boxed_at_once(&[1, 2]).unwrap().count().await, 2);
        assert!(boxed_at_once(&[]).is_err());
        assert!(std::panic::catch_unwind(|| boxed_at_once(&[1]).is_ok()).is_err());
        let counts = [("success", 1.0), ("error", 2.0), ("panic", 1.0)];
        assert_counts(&recording, "boxed_at_once", &counts);

        assert_eq!(alias_at_once(&[1, 2]).unwrap().count().await, 2);
        assert!(alias_at_once(&[]).is_err());
        assert_counts(&recording, "alias_at_once", &[("success", 1.0), ("error", 1.0)]);
    }

    #[test]
    fn a_sync_function_opens_its_stream_inside_the_call() {
        let lines = capture_logs(|| {
            let stream = opened_at_once(true).unwrap();
            tracing::info!("opened");
            drop(stream);
            opened_at_once(false).map(drop).unwrap_err();
        });
        let ids: Vec<_> =
            lines.iter().map(|line| (line["event"].as_str(), line["skill_id"].as_str())).collect();
        let id = Some("opened_at_once");
        let (opening, failed) = ((Some("opening"), id), (Some("skill failed"), id));
        assert_eq!(ids, [opening, (Some("opened"), None), opening, failed]);
    }

    #[tokio::test]
    async fn an_item_that_is_an_error_makes_the_call_one() {
        let recording = Recording::start();
        let items = || vec![Ok(1), Err("broken".to_owned()), Ok(2)];
        assert_eq!(fallible(items()).count().await, 3);
        // Stopping at the error does not cancel the call.
        assert_eq!(fallible(items()).take(2).count().await, 2);
        assert_counts(&recording, "fallible", &[("error", 2.0)]);

        assert_eq!(judged_by_item().count().await, 3);
        assert_counts(&recording, "judged_by_item", &[("error", 1.0)]);
    }

    #[tokio::test]
    async fn a_stream_dropped_early_is_cancelled_unless_never_polled() {
        let recording = Recording::start();
        assert_eq!(numbers(3).take(1).count().await, 1);
        drop(numbers(3));
        drop(opened(true).await);
        assert_counts(&recording, "numbers", &[("cancelled", 1.0)]);
        assert_counts(&recording, "opened", &[("cancelled", 1.0)]);
    }

    #[tokio::test]
    async fn the_call_of_a_stream_begins_with_what_opens_it() {
        let recording = Recording::start();
        let active = || recording.value("active_skills", &[("skill_id", "opened")]);
        let opening = opened(true);
        assert_eq!(active(), 0.0);
        let stream = opening.await.unwrap();
        assert_eq!(active(), 1.0);
        drop(stream);
        assert_counts(&recording, "opened", &[("cancelled", 1.0)]);
        // Cancelled before there is a stream, it is cancelled all the same.
        assert!(opened(true).now_or_never().is_none());
        assert_counts(&recording, "opened", &[("cancelled", 2.0)]);
    }

    #[test]
    fn a_tracked_stream_is_send_if_the_plain_one_is() {
        fn is_send<T: Send>(stream: T) -> T {
            stream
        }

        drop(is_send(numbers(1)));
        drop(is_send(fallible(vec![])));
        drop(is_send(opened(true)));
        drop(is_send(opened_at_once(true)));
    }

    #[tokio::test]
    async fn a_stream_that_panics_is_counted_when_it_does() {
        #[track_skill]
        fn panics() -> impl Stream<Item = u8> {
            stream::iter(0..2).map(|number| if number == 1 { panic!("on purpose") } else { number })
        }

        let recording = Recording::start();
        let mut stream = Box::pin(panics());
        assert_eq!(stream.next().await, Some(0));
        std::panic::AssertUnwindSafe(stream.next()).catch_unwind().await.unwrap_err();
        assert_counts(&recording, "panics", &[("panic", 1.0)]);
    }

    #[tokio::test]
    async fn the_time_to_the_first_item_is_recorded_once_a_stream() {
        #[track_agent("first_item")]
        fn agent() -> impl Stream<Item = u8> {
            stream::iter(0..3)
        }

        let recording = Recording::start();
        assert_eq!(agent().count().await, 3);
        assert_eq!(numbers(2).count().await, 2);
        assert_eq!(numbers(0).count().await, 0);
        let first = |metric: &str, label, id| recording.value(&format!("{metric}_count"), &[(label, id)]);
        assert_eq!(first("agent_time_to_first_item_seconds", "agent_id", "first_item"), 1.0);
        assert_eq!(first("skill_time_to_first_item_seconds", "skill_id", "numbers"), 1.0);
    }

    #[test]
    fn a_stream_made_in_the_calls_span_runs_in_it() {
        fn instrumented() -> impl Stream<Item = ()> + Send {
            let span = tracing::Span::current();
            stream::iter([1]).map(move |number| span.in_scope(|| tracing::info!(number, "inside")))
        }

        #[track_agent("opaque_stream")]
        fn opaque_stream() -> impl Stream<Item = ()> {
            instrumented()
        }

        #[track_agent("boxed_stream")]
        fn boxed_stream() -> BoxStream<'static, ()> {
            instrumented().boxed()
        }

        let lines = capture_logs(|| {
            opaque_stream().count().now_or_never();
            boxed_stream().count().now_or_never();
        });
        assert_eq!(
            lines.iter().map(|line| &line["agent_id"]).collect::<Vec<_>>(),
            ["opaque_stream", "boxed_stream"]
        );
    }

    #[test]
    fn an_error_among_the_items_is_logged_with_the_calls_context() {
        let lines = capture_logs(|| fallible(vec![Err("broken".to_owned())]).count().now_or_never());
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert_eq!(lines[0]["event"], "skill failed");
        assert_eq!(lines[0]["error"], "broken");
        assert_eq!(lines[0]["skill_id"], "fallible");
    }
}

/// Futures and streams by the other traits that they have, and types that hide one.
mod by_another_name {
    use futures_util::{TryFutureExt, TryStreamExt as _};

    use super::*;

    #[track_skill]
    fn fused(to: u8) -> impl Stream<Item = u8> + FusedStream + Send {
        stream::iter(0..to).fuse()
    }

    #[track_skill]
    fn only_fused<'a>(items: &'a [u8]) -> impl Send + futures_util::stream::FusedStream<Item = &'a u8> + 'a {
        stream::iter(items).fuse()
    }

    #[track_skill(log_errors = false)]
    fn tried(items: Vec<Result<u8, String>>) -> impl TryStream<Ok = u8, Error = String> {
        stream::iter(items)
    }

    #[track_skill(log_errors = false)]
    async fn tried_later(items: Vec<Result<u8, String>>) -> impl TryStream<Ok = u8, Error = String> + Send {
        tokio::task::yield_now().await;
        stream::iter(items)
    }

    #[track_skill(log_errors = false)]
    fn tried_in_a_result(
        items: Vec<Result<u8, String>>,
    ) -> Result<impl TryStream<Ok = u8, Error = String>, String> {
        if items.is_empty() { Err("nothing".to_owned()) } else { Ok(stream::iter(items)) }
    }

    trait Tokens: Stream<Item = u8> + Send {}

    impl<T: Stream<Item = u8> + Send> Tokens for T {}

    #[track_skill(stream)]
    fn said() -> impl Tokens {
        stream::iter([1, 2])
    }

    #[track_skill(stream)]
    async fn said_later(succeeds: bool) -> Result<impl Tokens, String> {
        if succeeds { Ok(stream::iter([1, 2])) } else { Err("asked to fail".to_owned()) }
    }

    type Fused<'a, T> = Pin<Box<dyn FusedStream<Item = T> + Send + 'a>>;

    #[track_skill]
    fn boxed_fused() -> Fused<'static, u8> {
        Box::pin(stream::iter([1, 2]).fuse())
    }

    #[track_skill]
    fn boxed_without_unpin() -> Box<dyn Stream<Item = u8> + Send> {
        Box::new(stream::iter([1, 2]))
    }

    macro_rules! Boxed {
        (dyn $name:ident<$of:ident = $given:ty>) => { Pin<Box<dyn $name<$of = $given> + Send>> };
        ($given:ty) => { $given };
    }

    #[track_skill]
    fn of_a_macro() -> Boxed!(dyn Stream<Item = u8>) {
        stream::iter([1, 2]).boxed()
    }

    #[track_skill]
    async fn of_a_macro_later() -> Boxed!(dyn Stream<Item = u8>) {
        stream::iter([1, 2]).boxed()
    }

    #[track_skill]
    fn of_a_macro_in_a_result(succeeds: bool) -> Result<Boxed!(dyn Stream<Item = u8>), String> {
        if succeeds { Ok(stream::iter([1, 2]).boxed()) } else { Err("asked to fail".to_owned()) }
    }

    #[track_skill(stream)]
    async fn of_a_macro_as_said() -> Result<Boxed!(dyn Stream<Item = u8>), String> {
        Ok(stream::iter([1, 2]).boxed())
    }

    /// Takes one of the two items, drops the rest, and asserts that this counts as cancelled.
    #[track_caller]
    fn assert_cancelled<S: Stream>(recording: &Recording, skill: &str, stream: S) {
        let taken = Box::pin(stream).into_future().now_or_never().expect("an item is there");
        assert!(taken.0.is_some(), "{skill}");
        drop(taken);
        assert_counts(recording, skill, &[("cancelled", 1.0)]);
    }

    #[test]
    fn a_stream_is_one_by_whatever_trait_or_type_says_so() {
        let recording = Recording::start();
        assert_cancelled(&recording, "fused", fused(2));
        assert_cancelled(&recording, "only_fused", only_fused(&[1, 2]));
        assert_cancelled(&recording, "said", said());
        assert_cancelled(&recording, "boxed_fused", boxed_fused());
        assert_cancelled(&recording, "boxed_without_unpin", Box::into_pin(boxed_without_unpin()));
        assert_cancelled(&recording, "of_a_macro", of_a_macro());
        assert_cancelled(&recording, "of_a_macro_in_a_result", of_a_macro_in_a_result(true).unwrap());

        let of_a_macro_later = of_a_macro_later().now_or_never().unwrap();
        assert_cancelled(&recording, "of_a_macro_later", of_a_macro_later);
        let of_a_macro_as_said = of_a_macro_as_said().now_or_never().unwrap().unwrap();
        assert_cancelled(&recording, "of_a_macro_as_said", of_a_macro_as_said);
        let said_later = said_later(true).now_or_never().unwrap().unwrap();
        assert_cancelled(&recording, "said_later", said_later);
    }

    #[tokio::test]
    async fn an_error_item_ends_the_call_behind_any_name_of_result() {
        let recording = Recording::start();
        assert!(said_later(false).await.is_err());
        assert!(of_a_macro_in_a_result(false).is_err());
        assert!(tried_in_a_result(vec![]).is_err());
        assert_counts(&recording, "said_later", &[("error", 1.0)]);
        assert_counts(&recording, "of_a_macro_in_a_result", &[("error", 1.0)]);
        assert_counts(&recording, "tried_in_a_result", &[("error", 1.0)]);
    }

    #[tokio::test]
    async fn an_item_of_a_try_stream_that_is_an_error_makes_the_call_one() {
        fn items() -> Vec<Result<u8, String>> {
            vec![Ok(1), Err("broken".to_owned())]
        }

        let recording = Recording::start();
        assert_eq!(tried(items()).into_stream().count().await, 2);
        assert_eq!(tried(vec![Ok(1)]).into_stream().count().await, 1);
        assert_eq!(tried_later(items()).await.into_stream().count().await, 2);
        assert_eq!(tried_in_a_result(items()).unwrap().into_stream().count().await, 2);
        assert_counts(&recording, "tried", &[("error", 1.0), ("success", 1.0)]);
        assert_counts(&recording, "tried_later", &[("error", 1.0)]);
        assert_counts(&recording, "tried_in_a_result", &[("error", 1.0)]);
    }

    #[test]
    fn a_fused_stream_says_when_it_is_terminated() {
        let recording = Recording::start();
        let mut stream = Box::pin(fused(1));
        assert!(!stream.is_terminated());
        assert_eq!(stream.next().now_or_never(), Some(Some(0)));
        assert!(!stream.is_terminated());
        assert_eq!(stream.next().now_or_never(), Some(None));
        assert!(stream.is_terminated());
        assert_counts(&recording, "fused", &[("success", 1.0)]);
    }

    #[test]
    fn dropping_a_terminated_stream_does_not_cancel_its_call() {
        #[track_skill]
        fn once() -> impl FusedStream<Item = u8> {
            stream::once(future::ready(1))
        }

        let recording = Recording::start();
        let mut stream = Box::pin(once());
        assert_eq!(stream.next().now_or_never(), Some(Some(1)));
        // As `select!` asks before each poll.
        assert!(stream.is_terminated());
        drop(stream);
        drop(once());
        assert_counts(&recording, "once", &[("success", 1.0)]);
    }

    #[track_skill]
    fn fused_future(number: u8) -> impl Future<Output = u8> + FusedFuture {
        future::ready(number)
    }

    #[track_skill]
    fn only_a_fused_future(number: u8) -> impl FusedFuture<Output = u8> + Send {
        future::ready(number)
    }

    #[track_skill(log_errors = false)]
    fn tried_future(succeeds: bool) -> impl TryFuture<Ok = u8, Error = String> {
        future::ready(if succeeds { Ok(1) } else { Err("asked to fail".to_owned()) })
    }

    #[track_skill]
    fn awaited(number: u8) -> impl IntoFuture<Output = Result<u8, String>> + Send {
        future::ready(Ok(number))
    }

    #[track_skill(log_errors = false)]
    fn future_of_a_macro() -> Boxed!(dyn Future<Output = Result<u8, String>>) {
        Box::pin(async { Err("asked to fail".to_owned()) })
    }

    #[track_skill]
    fn boxed_future_without_unpin() -> Box<dyn Future<Output = u8> + Send> {
        Box::new(future::ready(1))
    }

    #[track_skill(log_errors = false)]
    fn value_of_a_macro() -> Boxed!(Result<u8, String>) {
        Err("asked to fail".to_owned())
    }

    #[track_skill(log_errors = false)]
    async fn value_of_a_macro_later() -> Boxed!(Result<u8, String>) {
        Err("asked to fail".to_owned())
    }

    #[track_skill(log_errors = false)]
    fn value_of_a_macro_in_a_result(succeeds: bool) -> Result<Boxed!(u8), String> {
        if succeeds { Ok(1) } else { Err("asked to fail".to_owned()) }
    }

    #[tokio::test]
    async fn a_future_is_one_by_whatever_trait_or_type_says_so() {
        let recording = Recording::start();
        drop(fused_future(1));
        drop(only_a_fused_future(1));
        drop(tried_future(true));
        drop(awaited(1));
        drop(future_of_a_macro());
        drop(boxed_future_without_unpin());

        let mut fused_future = std::pin::pin!(fused_future(1));
        assert!(!fused_future.is_terminated());
        assert_eq!(fused_future.as_mut().await, 1);
        assert!(fused_future.is_terminated());
        assert_eq!(only_a_fused_future(1).await, 1);
        assert_eq!(TryFutureExt::into_future(tried_future(true)).await, Ok(1));
        TryFutureExt::into_future(tried_future(false)).await.unwrap_err();
        assert_eq!(awaited(1).await, Ok(1));
        future_of_a_macro().await.unwrap_err();
        assert_eq!(Box::into_pin(boxed_future_without_unpin()).await, 1);

        assert_counts(&recording, "fused_future", &[("success", 1.0)]);
        assert_counts(&recording, "only_a_fused_future", &[("success", 1.0)]);
        assert_counts(&recording, "tried_future", &[("success", 1.0), ("error", 1.0)]);
        assert_counts(&recording, "awaited", &[("success", 1.0)]);
        assert_counts(&recording, "future_of_a_macro", &[("error", 1.0)]);
        assert_counts(&recording, "boxed_future_without_unpin", &[("success", 1.0)]);
    }

    #[tokio::test]
    async fn a_type_macro_that_hides_a_value_is_judged_as_that_value() {
        let recording = Recording::start();
        value_of_a_macro().unwrap_err();
        value_of_a_macro_later().await.unwrap_err();
        value_of_a_macro_in_a_result(false).unwrap_err();
        value_of_a_macro_in_a_result(true).unwrap();
        assert_counts(&recording, "value_of_a_macro", &[("error", 1.0)]);
        assert_counts(&recording, "value_of_a_macro_later", &[("error", 1.0)]);
        let counts = [("error", 1.0), ("success", 1.0)];
        assert_counts(&recording, "value_of_a_macro_in_a_result", &counts);
    }
}
