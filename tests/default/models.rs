//! `#[track_model]` and the guard of hand-written clients: calls, usage and cost, each counted once.

use std::fmt;
use std::pin::Pin;
use std::task::{self, Poll};
use std::time::Duration;

use futures_util::stream::{self, BoxStream, Stream, StreamExt as _};
use futures_util::{FutureExt as _, future};
use monitor_runtime::genai::{self, Cost, ModelReply, PricedCall, Prices, Pricing, Rate, Usage};
use monitor_runtime::testing::{Recording, capture_logs};
use monitor_runtime::{context, track_agent, track_model};
use serde_json::Value;

use super::support::models::{Counted, Reply};

mod values {
    use super::*;

    #[track_model("value-sync", provider = "openai")]
    fn at_once(usage: Option<Usage>) -> Reply {
        Reply { usage }
    }

    #[track_model("value-silent", provider = "openai")]
    fn silent() -> Reply {
        Reply::default()
    }

    struct Client {
        provider: &'static str,
        model: String,
    }

    impl Client {
        #[track_model(provider = self.provider, model = self.model)]
        async fn complete(&self, succeeds: bool) -> Result<Reply, String> {
            tokio::task::yield_now().await;
            if succeeds { Ok(Reply::of(812, 96)) } else { Err("overloaded".to_owned()) }
        }
    }

    #[track_model("value-future", provider = "openai")]
    fn opaque() -> impl Future<Output = Option<Reply>> {
        future::ready(Some(Reply::of(3, 4)))
    }

    #[track_model("value-boxed", provider = "openai")]
    fn boxed() -> future::BoxFuture<'static, Result<Reply, String>> {
        async { Ok(Reply::of(5, 6)) }.boxed()
    }

    #[test]
    fn the_usage_of_a_value_counts_once() {
        let recording = Recording::start();
        let counted = Counted(&recording, "value-sync");
        at_once(Some(Usage::new(812, 96).cached(640).reasoning(64)));
        at_once(Some(Usage::beside_cache(172, 640, 100, 96)));
        assert_eq!(counted.calls("success"), 2.0);
        assert_eq!(counted.tokens(), (812.0 + 912.0, 192.0));
        assert_eq!(counted.of_model("model_cached_input_tokens_total"), 1280.0);
        assert_eq!(counted.of_model("model_cache_write_input_tokens_total"), 100.0);
        assert_eq!(counted.of_model("model_reasoning_output_tokens_total"), 64.0);
        assert_eq!(counted.of_model("active_model_calls"), 0.0);
        assert_eq!(counted.unknown("no_usage"), 0.0);
    }

    #[test]
    fn absent_usage_is_unknown_and_not_zero() {
        let recording = Recording::start();
        let counted = Counted(&recording, "value-sync");
        at_once(None);
        assert_eq!(counted.unknown("no_usage"), 1.0);
        // A missing series, and not one at 0.
        silent();
        let shown = || monitor_runtime::metrics::render().matches(r#"model="value-silent""#).count();
        let tokens = || {
            monitor_runtime::metrics::render()
                .contains(r#"tokens_total{agent_id="",provider="openai",model="value-silent""#)
        };
        assert!(shown() > 0 && !tokens(), "{}", monitor_runtime::metrics::render());
        for first in ["retries_total{", "usage_corrected_total{", "usage_unknown_total{"] {
            let labels = r#"provider="openai",model="value-silent""#;
            let reason = if first.contains("unknown") { r#",reason="failed""# } else { "" };
            let zero = format!("model_{first}{labels}{reason}}} 0\n");
            assert!(
                monitor_runtime::metrics::render().contains(&zero),
                "{zero} so that `rate()` sees the first"
            );
        }
        at_once(Some(Usage::new(0, 0)));
        assert_eq!(counted.unknown("no_usage"), 1.0, "zero is known");
        let zero = r#"model_input_tokens_total{agent_id="",provider="openai",model="value-sync"}"#;
        assert!(monitor_runtime::metrics::render().contains(zero), "{}", monitor_runtime::metrics::render());
    }

    #[tokio::test]
    async fn provider_and_model_may_be_expressions() {
        let recording = Recording::start();
        let client = Client { provider: "anthropic", model: "value-async".to_owned() };
        client.complete(true).await.unwrap();
        client.complete(false).await.unwrap_err();
        let counted = Counted(&recording, "value-async");
        assert_eq!((counted.calls("success"), counted.calls("error")), (1.0, 1.0));
        assert_eq!(counted.tokens(), (812.0, 96.0));
        assert_eq!((counted.unknown("failed"), counted.unknown("no_usage")), (1.0, 0.0));
        let labels = [("provider", "anthropic"), ("model", "value-async")];
        assert_eq!(recording.value("model_calls_total", &labels), 2.0);
        assert_eq!(recording.value("model_call_duration_seconds_count", &labels), 2.0);
    }

    #[tokio::test]
    async fn an_empty_text_is_unknown() {
        let recording = Recording::start();
        Client { provider: "", model: String::new() }.complete(true).await.unwrap();
        let labels = [("provider", "unknown"), ("model", "unknown"), ("status", "success")];
        assert_eq!(recording.value("model_calls_total", &labels), 1.0);
    }

    #[tokio::test]
    async fn futures_of_every_form_report() {
        let recording = Recording::start();
        opaque().await.unwrap();
        boxed().await.unwrap();
        assert_eq!(Counted(&recording, "value-future").tokens(), (3.0, 4.0));
        assert_eq!(Counted(&recording, "value-boxed").tokens(), (5.0, 6.0));
    }

    #[test]
    fn a_call_dropped_between_two_polls_is_cancelled_without_usage() {
        let recording = Recording::start();
        let client = Client { provider: "openai", model: "value-dropped".to_owned() };
        assert!(client.complete(true).now_or_never().is_none());
        let counted = Counted(&recording, "value-dropped");
        assert_eq!((counted.calls("cancelled"), counted.unknown("cancelled")), (1.0, 1.0));
    }

    #[allow(clippy::ptr_arg, reason = "the value of the function is a `String`")]
    fn characters(text: &String) -> Option<Usage> {
        (!text.is_empty()).then(|| Usage::default().output(text.len() as u64))
    }

    #[track_model("value-path", provider = "local", usage = characters)]
    fn compose(text: &str) -> Result<String, String> {
        if text.is_empty() { Err("nothing to say".to_owned()) } else { Ok(text.to_owned()) }
    }

    #[test]
    fn a_path_reads_the_usage_of_any_type() {
        let recording = Recording::start();
        compose("four").unwrap();
        compose("").unwrap_err();
        let counted = Counted(&recording, "value-path");
        assert_eq!((counted.tokens(), counted.unknown("failed")), ((0.0, 4.0), 1.0));
    }

    #[test]
    fn a_contradiction_is_corrected_counted_and_named_once() {
        #[track_model("value-contradiction", provider = "bedrock")]
        fn contradict() -> Reply {
            Reply { usage: Some(Usage::new(172, 96).cached(640)) }
        }

        let recording = Recording::start();
        let lines = capture_logs(|| {
            contradict();
            contradict();
        });
        let counted = Counted(&recording, "value-contradiction");
        assert_eq!(counted.of_model("model_usage_corrected_total"), 2.0);
        assert_eq!(counted.tokens(), (1624.0, 192.0));
        let is_named = |line: &&Value| line["event"].as_str().unwrap().contains("contradicts itself");
        let named: Vec<_> = lines.iter().filter(is_named).collect();
        assert_eq!(named.len(), 1, "{lines:?}");
        assert_eq!(
            (&named[0]["provider"], &named[0]["model"]),
            (&"bedrock".into(), &"value-contradiction".into())
        );
    }

    #[test]
    fn each_flaw_of_a_usage_is_named_by_its_cause() {
        #[track_model(model = model, provider = "flawed")]
        fn flawed(model: &str, usage: Usage) -> Reply {
            Reply { usage: Some(usage) }
        }

        let lines = capture_logs(|| {
            flawed("flaw-count", Usage::new(10_u64.pow(13), 1));
            flawed("flaw-cost", Usage::new(1, 1).cost_usd(-0.5));
            flawed("flaw-reasoning", Usage::new(1, 1).reasoning(2));
            flawed("flaw-none", Usage::default().output(96).cached(640));
        });
        let is_of_usage = |line: &&Value| line["event"].as_str().unwrap().contains("reported");
        let lines: Vec<_> = lines.iter().filter(is_of_usage).collect();
        let warned: Vec<_> = lines.iter().map(|line| line["model"].as_str().unwrap()).collect();
        assert_eq!(warned, ["flaw-count", "flaw-cost", "flaw-reasoning"]);
        for (line, cause) in
            lines.iter().zip(["10^12 tokens", "a cost that is negative", "tokens of reasoning"])
        {
            let event = line["event"].as_str().unwrap();
            assert!(event.contains(cause) && !event.contains("beside_cache"), "{event}");
        }
    }

    #[test]
    fn a_failed_call_is_logged_with_its_model() {
        let lines = capture_logs(|| compose("").unwrap_err());
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert_eq!(lines[0]["event"], "model failed");
        assert_eq!(lines[0]["model"], "value-path");
    }
}

mod streams {
    use super::*;

    /// Two chunks without usage, then the whole usage.
    fn chunks() -> [Result<Reply, String>; 3] {
        [Ok(Reply::default()), Ok(Reply::default()), Ok(Reply::of(812, 96))]
    }

    #[track_model("stream-whole", provider = "openai")]
    fn whole() -> impl Stream<Item = Result<Reply, String>> {
        stream::iter(chunks())
    }

    #[track_model("stream-boxed", provider = "openai")]
    async fn boxed() -> Result<BoxStream<'static, Result<Reply, String>>, String> {
        Ok(stream::iter(chunks()).boxed())
    }

    #[tokio::test]
    async fn the_last_item_with_usage_counts_once() {
        let recording = Recording::start();
        assert_eq!(whole().count().await, 3);
        assert_eq!(boxed().await.unwrap().count().await, 3);
        for model in ["stream-whole", "stream-boxed"] {
            let counted = Counted(&recording, model);
            assert_eq!((counted.calls("success"), counted.tokens()), (1.0, (812.0, 96.0)), "{model}");
            assert_eq!(counted.of_model("model_time_to_first_chunk_seconds_count"), 1.0, "{model}");
        }
    }

    #[track_model("stream-growing", provider = "anthropic")]
    fn growing() -> impl Stream<Item = Reply> {
        let output = |tokens| Reply { usage: Some(Usage::default().output(tokens)) };
        stream::iter([Reply { usage: Some(Usage::beside_cache(172, 640, 0, 1)) }, output(40), output(96)])
    }

    #[tokio::test]
    async fn counts_that_are_reported_piece_by_piece_are_not_added() {
        let recording = Recording::start();
        assert_eq!(growing().count().await, 3);
        assert_eq!(Counted(&recording, "stream-growing").tokens(), (812.0, 96.0));
    }

    #[track_model("stream-cut", provider = "openai")]
    fn cut() -> impl Stream<Item = Result<Reply, String>> + Unpin {
        stream::iter(chunks())
    }

    #[tokio::test]
    async fn a_stream_dropped_before_its_usage_is_unknown() {
        let recording = Recording::start();
        let mut stream = cut();
        stream.next().await.unwrap().unwrap();
        drop(stream);
        let counted = Counted(&recording, "stream-cut");
        assert_eq!((counted.calls("cancelled"), counted.unknown("stream_cut")), (1.0, 1.0));
        assert_eq!(counted.tokens(), (0.0, 0.0));
    }

    #[track_model("stream-left", provider = "openai")]
    fn left() -> impl Stream<Item = Result<Reply, String>> + Unpin {
        stream::iter(chunks())
    }

    #[tokio::test]
    async fn a_stream_dropped_after_its_usage_has_it() {
        let recording = Recording::start();
        let mut stream = left();
        for _ in 0..3 {
            stream.next().await.unwrap().unwrap();
        }
        drop(stream);
        let counted = Counted(&recording, "stream-left");
        assert_eq!((counted.calls("cancelled"), counted.tokens()), (1.0, (812.0, 96.0)));
        assert_eq!(counted.unknown("stream_cut"), 0.0);
    }

    #[track_model("stream-panicked", provider = "openai")]
    fn panicking() -> impl Stream<Item = Reply> {
        stream::iter([5, 0]).map(|input| {
            assert!(input > 0, "asked to");
            Reply::of(input, 7)
        })
    }

    #[test]
    fn a_stream_that_panics_has_the_usage_of_the_items_before() {
        let recording = Recording::start();
        std::panic::catch_unwind(|| panicking().count().now_or_never()).unwrap_err();
        let counted = Counted(&recording, "stream-panicked");
        assert_eq!((counted.calls("panic"), counted.tokens()), (1.0, (5.0, 7.0)));
    }

    #[tokio::test]
    async fn streams_that_are_polled_in_turns_keep_their_usage() {
        let recording = Recording::start();
        let (mut cut, mut failed, whole) = (cut(), failed(true).boxed(), whole());
        cut.next().await.unwrap().unwrap();
        failed.next().await.unwrap().unwrap();
        assert_eq!(whole.count().await, 3);
        drop(cut);
        drop(failed);
        assert_eq!(Counted(&recording, "stream-cut").tokens(), (0.0, 0.0));
        assert_eq!(
            Counted(&recording, "stream-failed").tokens(),
            (5.0, 7.0),
            "it had them before the other ran"
        );
        assert_eq!(Counted(&recording, "stream-whole").tokens(), (812.0, 96.0));
    }

    /// A chunk of a provider's crate.
    struct Chunk(&'static str);

    #[allow(clippy::unnecessary_wraps, reason = "the form of `usage`")]
    fn usage_of_chunk(chunk: &Chunk) -> Option<Usage> {
        Some(Usage::default().output(chunk.0.len() as u64))
    }

    #[track_model("stream-path", provider = "local", usage = usage_of_chunk)]
    fn chunked() -> impl Stream<Item = Result<Chunk, String>> {
        stream::iter([Ok(Chunk("a")), Ok(Chunk("ab")), Err("cut".to_owned())])
    }

    #[tokio::test]
    async fn a_path_reads_the_usage_of_each_item() {
        let recording = Recording::start();
        assert_eq!(chunked().count().await, 3);
        let counted = Counted(&recording, "stream-path");
        assert_eq!((counted.calls("error"), counted.tokens()), (1.0, (0.0, 2.0)));
    }

    #[track_model("stream-refused", provider = "openai")]
    fn refused(later: bool) -> impl Stream<Item = Result<Reply, String>> + Unpin {
        let items = [Err("401".to_owned()), Ok(Reply::default())];
        stream::iter(items.into_iter().take(1 + usize::from(later)))
    }

    #[tokio::test]
    async fn an_error_is_no_chunk() {
        let recording = Recording::start();
        let counted = Counted(&recording, "stream-refused");
        assert_eq!(refused(false).count().await, 1);
        refused(false).next().await.unwrap().unwrap_err();
        assert_eq!((counted.calls("error"), counted.unknown("failed")), (2.0, 2.0));
        assert_eq!(counted.of_model("model_time_to_first_chunk_seconds_count"), 0.0);
        assert_eq!(refused(true).count().await, 2);
        assert_eq!(counted.of_model("model_time_to_first_chunk_seconds_count"), 1.0, "the item after it");
    }

    /// Panics when it is dropped.
    struct Bomb<S>(S);

    impl<S> Drop for Bomb<S> {
        fn drop(&mut self) {
            assert!(std::thread::panicking(), "asked to");
        }
    }

    impl<S: Stream + Unpin> Stream for Bomb<S> {
        type Item = S::Item;

        fn poll_next(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Option<S::Item>> {
            self.0.poll_next_unpin(cx)
        }
    }

    #[track_model("stream-bomb", provider = "openai")]
    fn bomb() -> impl Stream<Item = Reply> + Unpin {
        Bomb(stream::iter([Reply::of(5, 7)]))
    }

    #[test]
    fn a_stream_whose_destructor_panics_has_its_usage() {
        let recording = Recording::start();
        let counted = Counted(&recording, "stream-bomb");
        std::panic::catch_unwind(|| bomb().count().now_or_never()).unwrap_err();
        assert_eq!((counted.calls("panic"), counted.tokens()), (1.0, (5.0, 7.0)));
        std::panic::catch_unwind(|| {
            let mut left = bomb();
            let _ = left.next().now_or_never();
        })
        .unwrap_err();
        assert_eq!((counted.calls("cancelled"), counted.tokens()), (1.0, (10.0, 14.0)));
    }

    /// Panics when it is shown.
    #[derive(Debug)]
    struct Unspeakable;

    impl fmt::Display for Unspeakable {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("asked to")
        }
    }

    #[track_model("stream-unspeakable", provider = "openai")]
    fn unspeakable() -> impl Stream<Item = Result<Reply, Unspeakable>> {
        stream::iter([Ok(Reply::of(5, 7)), Err(Unspeakable)])
    }

    #[test]
    fn a_stream_whose_error_panics_has_its_usage() {
        let recording = Recording::start();
        capture_logs(|| std::panic::catch_unwind(|| unspeakable().count().now_or_never()).unwrap_err());
        let counted = Counted(&recording, "stream-unspeakable");
        assert_eq!((counted.calls("panic"), counted.tokens()), (1.0, (5.0, 7.0)));
    }

    #[track_model("stream-failed", provider = "openai")]
    fn failed(has_usage: bool) -> impl Stream<Item = Result<Reply, String>> {
        let first = if has_usage { Reply::of(5, 7) } else { Reply::default() };
        stream::iter([Ok(first), Err("connection reset".to_owned())])
    }

    #[tokio::test]
    async fn a_failed_stream_counts_what_it_reported_until_then() {
        let recording = Recording::start();
        let counted = Counted(&recording, "stream-failed");
        assert_eq!(failed(true).count().await, 2);
        assert_eq!((counted.calls("error"), counted.tokens()), (1.0, (5.0, 7.0)));
        assert_eq!(failed(false).count().await, 2);
        assert_eq!((counted.unknown("failed"), counted.tokens()), (1.0, (5.0, 7.0)));
        assert_eq!(counted.unknown("stream_cut"), 0.0);
    }
}

mod errors {
    use super::*;

    /// A reply that the provider's filter has cut, and billed.
    #[derive(Debug)]
    struct Filtered {
        usage: Option<Usage>,
    }

    impl Filtered {
        fn after(input: u64, output: u64) -> Self {
            Self { usage: Some(Usage::new(input, output)) }
        }
    }

    impl fmt::Display for Filtered {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("content filter")
        }
    }

    impl std::error::Error for Filtered {}

    impl ModelReply for Filtered {
        fn usage(&self) -> Option<Usage> {
            self.usage
        }
    }

    /// Fails unless each of the model's calls was an error, with this sum of tokens.
    fn assert_failed(recording: &Recording, model: &'static str, calls: f64, tokens: (f64, f64)) {
        let counted = Counted(recording, model);
        assert_eq!((counted.calls("error"), counted.calls("success")), (calls, 0.0), "{model}");
        assert_eq!((counted.tokens(), counted.unknown("failed")), (tokens, 0.0), "{model}");
    }

    #[track_model("error-plain", provider = "openai")]
    fn plain() -> Result<Reply, Filtered> {
        Err(Filtered::after(812, 1))
    }

    /// The value is no reply.
    #[track_model("error-text", provider = "openai")]
    async fn text() -> Result<String, Box<Filtered>> {
        tokio::task::yield_now().await;
        Err(Box::new(Filtered::after(812, 2)))
    }

    #[track_model("error-boxed", provider = "openai")]
    fn boxed() -> future::BoxFuture<'static, Result<Reply, Filtered>> {
        async { Err(Filtered::after(812, 3)) }.boxed()
    }

    #[tokio::test]
    async fn the_usage_of_an_error_counts() {
        let recording = Recording::start();
        plain().unwrap_err();
        text().await.unwrap_err();
        boxed().await.unwrap_err();
        assert_failed(&recording, "error-plain", 1.0, (812.0, 1.0));
        assert_failed(&recording, "error-text", 1.0, (812.0, 2.0));
        assert_failed(&recording, "error-boxed", 1.0, (812.0, 3.0));
    }

    #[track_model("error-item", provider = "openai")]
    fn items() -> impl Stream<Item = Result<Reply, Filtered>> {
        let input = Reply { usage: Some(Usage::default().input(812)) };
        let filtered = Filtered { usage: Some(Usage::default().output(7)) };
        stream::iter([Ok(input), Err(filtered)])
    }

    #[tokio::test]
    async fn the_usage_of_an_error_in_a_stream_overrides_that_of_the_items_before() {
        let recording = Recording::start();
        assert_eq!(items().count().await, 2);
        assert_failed(&recording, "error-item", 1.0, (812.0, 7.0));
    }

    #[track_model("error-opening", provider = "openai")]
    async fn opened_later() -> Result<BoxStream<'static, Reply>, Filtered> {
        Err(Filtered::after(100, 1))
    }

    #[track_model("error-opening", provider = "openai")]
    fn opened_at_once() -> Result<impl Stream<Item = Reply>, Filtered> {
        if true { Err(Filtered::after(10, 1)) } else { Ok(stream::iter([Reply::default()])) }
    }

    #[tokio::test]
    async fn the_usage_of_a_stream_that_does_not_open_counts() {
        let recording = Recording::start();
        assert!(opened_later().await.is_err());
        assert!(opened_at_once().is_err());
        assert_failed(&recording, "error-opening", 2.0, (110.0, 2.0));
    }

    #[allow(clippy::ptr_arg, clippy::unnecessary_wraps, reason = "the form of `usage`")]
    fn characters(text: &String) -> Option<Usage> {
        Some(Usage::default().output(text.len() as u64))
    }

    #[track_model("error-beside-a-path", provider = "local", usage = characters)]
    fn composed(text: &str) -> Result<String, Filtered> {
        if text.is_empty() { Err(Filtered::after(5, 3)) } else { Ok(text.to_owned()) }
    }

    #[test]
    fn a_path_reads_the_value_and_the_error_reports_itself() {
        let recording = Recording::start();
        composed("four").unwrap();
        composed("").unwrap_err();
        let counted = Counted(&recording, "error-beside-a-path");
        assert_eq!((counted.calls("success"), counted.calls("error")), (1.0, 1.0));
        assert_eq!((counted.tokens(), counted.unknown("failed")), ((5.0, 7.0), 0.0));
    }
}

mod guard {
    use super::*;

    #[track_agent("models_guarded")]
    fn guarded(model: &str, end: impl FnOnce(genai::OpenCall)) {
        end(genai::call("openai", model));
    }

    #[test]
    fn a_finished_call_is_a_success_with_its_usage() {
        let recording = Recording::start();
        let counted = Counted(&recording, "guard-finished");
        guarded("guard-finished", |mut call| {
            assert_eq!(counted.of_model("active_model_calls"), 1.0);
            call.first_chunk();
            call.first_chunk();
            call.usage(Usage::new(812, 1).cached(640));
            call.usage(Usage::default().output(96));
            call.finish("stop");
        });
        assert_eq!((counted.calls("success"), counted.tokens_of("models_guarded")), (1.0, (812.0, 96.0)));
        assert_eq!(counted.of_model("model_time_to_first_chunk_seconds_count"), 1.0);
        assert_eq!(counted.of_model("active_model_calls"), 0.0);
    }

    #[test]
    fn a_dropped_call_is_cancelled_with_the_usage_it_had() {
        let recording = Recording::start();
        let counted = Counted(&recording, "guard-dropped");
        guarded("guard-dropped", drop);
        assert_eq!((counted.calls("cancelled"), counted.unknown("cancelled")), (1.0, 1.0));
        guarded("guard-dropped", |mut call| call.first_chunk());
        assert_eq!(counted.unknown("stream_cut"), 1.0);
        guarded("guard-dropped", |mut call| call.usage(Usage::new(3, 4)));
        assert_eq!((counted.calls("cancelled"), counted.tokens()), (3.0, (3.0, 4.0)));
    }

    #[test]
    fn a_failed_call_is_an_error_that_is_logged() {
        let recording = Recording::start();
        let counted = Counted(&recording, "guard-failed");
        let lines = capture_logs(|| guarded("guard-failed", |call| call.fail(&"overloaded")));
        assert_eq!((counted.calls("error"), counted.unknown("failed")), (1.0, 1.0));
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert_eq!((&lines[0]["model"], &lines[0]["error"]), (&"guard-failed".into(), &"overloaded".into()));
        assert_eq!(lines[0]["agent_id"], "models_guarded");
    }

    #[test]
    fn a_panic_ends_a_call_as_one() {
        let recording = Recording::start();
        for usage in [Usage::default(), Usage::new(3, 4)] {
            std::panic::catch_unwind(|| {
                guarded("guard-panicked", |mut call| {
                    call.usage(usage);
                    panic!("asked to");
                });
            })
            .unwrap_err();
        }
        let counted = Counted(&recording, "guard-panicked");
        assert_eq!(
            (counted.calls("panic"), counted.unknown("failed"), counted.tokens()),
            (2.0, 1.0, (3.0, 4.0))
        );
    }

    #[test]
    fn retries_count_and_stay_one_call() {
        let recording = Recording::start();
        let counted = Counted(&recording, "guard-retried");
        guarded("guard-retried", |mut call| {
            call.retry("429", Duration::from_millis(10));
            call.retry("503", Duration::from_millis(20));
            call.finish("stop");
        });
        assert_eq!(counted.of_model("model_retries_total"), 2.0);
        assert_eq!(counted.calls("success"), 1.0);
    }

    #[test]
    fn the_usage_of_all_attempts_counts() {
        let recording = Recording::start();
        let counted = Counted(&recording, "guard-attempts");
        for end in [
            |call: genai::OpenCall| call.finish("stop"),
            drop,
            |call: genai::OpenCall| call.fail(&"overloaded"),
        ] {
            guarded("guard-attempts", |mut call| {
                call.usage(Usage::new(812, 1).cached(640));
                call.usage(Usage::default().output(40));
                call.retry("stream was cut", Duration::ZERO);
                call.usage(Usage::new(100, 50));
                end(call);
            });
        }
        assert_eq!(counted.tokens(), (3.0 * 912.0, 3.0 * 90.0));
        assert_eq!(counted.of_model("model_cached_input_tokens_total"), 3.0 * 640.0);
        assert_eq!(counted.of_model("model_usage_corrected_total"), 0.0);
        guarded("guard-attempts", |mut call| {
            call.usage(Usage::new(5, 5));
            call.retry("429", Duration::ZERO);
        });
        assert_eq!(counted.tokens(), (3.0 * 912.0 + 5.0, 3.0 * 90.0 + 5.0), "the last attempt told nothing");
    }

    #[test]
    fn a_panic_in_the_scope_of_a_call_ends_it_as_one() {
        let recording = Recording::start();
        std::panic::catch_unwind(|| {
            guarded("guard-scope", |mut call| {
                call.usage(Usage::new(3, 4));
                call.in_scope(|| panic!("asked to"));
            });
        })
        .unwrap_err();
        let counted = Counted(&recording, "guard-scope");
        assert_eq!((counted.calls("panic"), counted.tokens()), (1.0, (3.0, 4.0)));
    }
}

/// Tracked calls inside each other.
mod nested {
    use super::*;

    #[track_model(provider = "openai", model = model)]
    async fn client(model: &str, usage: Option<Usage>) -> Reply {
        tokio::task::yield_now().await;
        Reply { usage }
    }

    /// Delegates to a client, whose reply it returns.
    #[track_model(provider = "router", model = model)]
    async fn router(model: &str, inner: &str, usage: Option<Usage>) -> Reply {
        client(inner, usage).await
    }

    #[tokio::test]
    async fn the_innermost_call_that_reports_counts_its_usage() {
        let recording = Recording::start();
        let [outer, inner] = ["nested-outer", "nested-inner"].map(|model| Counted(&recording, model));
        router("nested-outer", "nested-inner", Some(Usage::new(812, 96).cost_usd(0.5))).await;
        assert_eq!((outer.calls("success"), inner.calls("success")), (1.0, 1.0));
        assert_eq!((outer.tokens(), inner.tokens()), ((0.0, 0.0), (812.0, 96.0)));
        assert_eq!(recording.value("model_cost_usd_total", &[]), 0.5);
        assert_eq!(outer.unknown("no_usage"), 0.0);
    }

    #[tokio::test]
    async fn a_call_whose_inner_call_reports_nothing_counts_its_own() {
        #[track_model("nested-telling", provider = "router")]
        async fn telling() -> Reply {
            client("nested-silent", None).await;
            Reply::of(3, 4)
        }

        let recording = Recording::start();
        telling().await;
        assert_eq!(Counted(&recording, "nested-telling").tokens(), (3.0, 4.0));
        assert_eq!(Counted(&recording, "nested-silent").unknown("no_usage"), 1.0);
    }

    #[test]
    fn embeddings_inside_a_call_are_no_part_of_its_usage() {
        #[track_model("nested-embedder", provider = "openai", operation = "embeddings")]
        fn embed() -> Reply {
            Reply::of(7, 0)
        }

        #[track_model("nested-answering", provider = "openai")]
        fn answer() -> Reply {
            embed();
            Reply::of(3, 4)
        }

        let recording = Recording::start();
        answer();
        let tokens = |model| Counted(&recording, model).tokens();
        assert_eq!((tokens("nested-embedder").0, tokens("nested-answering")), (7.0, (3.0, 4.0)));
    }

    #[tokio::test]
    async fn a_failed_attempt_inside_leaves_the_usage_to_the_next_one() {
        #[track_model("nested-retrying", provider = "router")]
        async fn retrying() -> Reply {
            client("nested-first", None).await;
            client("nested-second", Some(Usage::new(3, 4))).await
        }

        let recording = Recording::start();
        retrying().await;
        let unknown = |model| Counted(&recording, model).unknown("no_usage");
        assert_eq!((unknown("nested-first"), unknown("nested-second")), (1.0, 0.0));
        assert_eq!(unknown("nested-retrying"), 0.0);
        assert_eq!(recording.value("model_input_tokens_total", &[]), 3.0);
    }

    #[tokio::test]
    async fn calls_nest_over_several_levels_streams_and_tasks() {
        #[track_model("nested-stream", provider = "router")]
        fn stream() -> impl Stream<Item = Reply> {
            stream::once(async {
                let asked = context::spawn(router("nested-middle", "nested-leaf", Some(Usage::new(3, 4))));
                asked.await.unwrap()
            })
        }

        #[track_model("nested-guarded", provider = "router")]
        fn with_guard() -> Reply {
            let mut call = genai::call("openai", "nested-guard");
            call.usage(Usage::new(5, 6));
            call.finish("stop");
            Reply::of(5, 6)
        }

        let recording = Recording::start();
        assert_eq!(stream().collect::<Vec<_>>().await.len(), 1);
        with_guard();
        let tokens = |model| Counted(&recording, model).tokens();
        assert_eq!((tokens("nested-leaf"), tokens("nested-guard")), ((3.0, 4.0), (5.0, 6.0)));
        assert_eq!(recording.value("model_input_tokens_total", &[]), 8.0);
        assert_eq!(recording.value("model_calls_total", &[("status", "success")]), 5.0);
        assert_eq!(recording.value("model_usage_unknown_total", &[]), 0.0);
    }

    #[tokio::test]
    async fn an_agent_in_between_separates_two_calls() {
        #[track_agent("nested_agent")]
        async fn research() {
            client("nested-research", Some(Usage::new(3, 4))).await;
        }

        #[track_model("nested-thinking", provider = "openai")]
        async fn think() -> Reply {
            research().await;
            Reply::of(10, 1)
        }

        let recording = Recording::start();
        think().await;
        assert_eq!(Counted(&recording, "nested-thinking").tokens(), (10.0, 1.0));
        assert_eq!(Counted(&recording, "nested-research").tokens_of("nested_agent"), (3.0, 4.0));
    }
}

#[test]
fn a_fetched_response_does_not_count_its_usage_again() {
    #[track_model("fetched", provider = "openai", operation = "fetch_response")]
    fn fetch(usage: Option<Usage>) -> Reply {
        Reply { usage }
    }

    let recording = Recording::start();
    fetch(Some(Usage::new(812, 96).cost_usd(0.5)));
    fetch(None);
    let counted = Counted(&recording, "fetched");
    assert_eq!((counted.calls("success"), counted.tokens()), (2.0, (0.0, 0.0)));
    assert_eq!((counted.of_model("model_cost_usd_total"), counted.unknown("no_usage")), (0.0, 0.0));
}

mod cost {
    use super::*;

    #[track_model(model = model, provider = "priced")]
    fn call(model: &str, usage: Usage) -> Reply {
        Reply { usage: Some(usage) }
    }

    /// Prices that call a model when they are dropped.
    struct Calling;

    impl Pricing for Calling {
        fn price(&self, _: &PricedCall<'_>) -> Option<Cost> {
            None
        }
    }

    impl Drop for Calling {
        fn drop(&mut self) {
            call("cost-dropped", Usage::new(1, 1));
        }
    }

    /// One test, since the prices are the process's. No other test of this executable sets them.
    #[test]
    fn a_cost_is_exact_and_a_missing_one_is_not_zero() {
        let recording = Recording::start();
        let cost = |model| recording.value("model_cost_usd_total", &[("model", model)]);
        let unpriced = |model| recording.value("model_unpriced_tokens_total", &[("model", model)]);

        call("cost-before", Usage::new(812, 96));
        assert_eq!((cost("cost-before"), unpriced("cost-before")), (0.0, 908.0));
        let shown = r#"model_cost_usd_total{agent_id="",provider="priced",model="cost-before"}"#;
        assert!(!monitor_runtime::metrics::render().contains(shown), "unpriced is not $0");

        call("cost-parts", Usage::default().cached(640).reasoning(64));
        assert_eq!(unpriced("cost-parts"), 704.0, "the known parts of unknown wholes");

        // The destructor of the older prices runs without the lock.
        genai::set_pricing(Calling);
        let rate = Rate::io(1.25, 10.0).cached(0.125);
        genai::set_pricing(
            Prices::builder("2026-11-01").usd_per_million("priced", "cost-known*", rate).build().unwrap(),
        );
        call("cost-known-1", Usage::new(812, 96).cached(640));
        call("cost-known-1", Usage::new(812, 96).cached(640));
        assert_eq!(recording.value("model_calls_total", &[("model", "cost-dropped")]), 1.0);
        assert_eq!((cost("cost-known-1"), unpriced("cost-known-1")), (0.002_51, 0.0));

        call("cost-known-2", Usage::new(812, 96).cost_usd(0.5));
        assert_eq!(cost("cost-known-2"), 0.5, "the provider's own cost comes first");

        let lines = capture_logs(|| {
            call("cost-missing", Usage::new(812, 96));
            call("cost-missing", Usage::new(812, 96));
        });
        assert_eq!((cost("cost-missing"), unpriced("cost-missing")), (0.0, 1816.0));
        let named: Vec<_> =
            lines.iter().filter(|line| line["model"] == "cost-missing" && line["level"] == "warn").collect();
        assert_eq!(named.len(), 1, "{lines:?}");

        genai::set_pricing(Faulty);
        let lines = capture_logs(|| {
            for model in ["cost-missing", "cost-excessive", "cost-panicked"] {
                call(model, Usage::new(1, 1));
                call(model, Usage::new(1, 1));
            }
        });
        let warnings: Vec<_> = lines
            .iter()
            .filter(|line| line["logger"] == "monitor_runtime::genai")
            .map(|line| (line["model"].as_str().unwrap(), line["event"].as_str().unwrap()))
            .collect();
        let rest = "; its tokens count in model_unpriced_tokens_total";
        let expected = [
            ("cost-missing", format!("the prices lack a model{rest}")),
            (
                "cost-excessive",
                format!("the prices gave a cost above a million dollars, which is none{rest}"),
            ),
            ("cost-panicked", format!("the prices panicked{rest}")),
        ];
        assert_eq!(
            warnings,
            expected.each_ref().map(|(model, text)| (*model, &**text)),
            "newer prices, once each"
        );
    }

    /// Prices with a mistake for each model.
    struct Faulty;

    impl Pricing for Faulty {
        fn price(&self, call: &PricedCall<'_>) -> Option<Cost> {
            match call.request_model {
                "cost-excessive" => Some(Cost::from_nano_usd(u64::MAX)),
                "cost-panicked" => panic!("asked to"),
                _ => None,
            }
        }
    }

    #[test]
    fn a_cost_without_tokens_leaves_the_usage_unknown() {
        let recording = Recording::start();
        call("cost-alone", Usage::default().cost_usd(0.5));
        let counted = Counted(&recording, "cost-alone");
        assert_eq!((counted.of_model("model_cost_usd_total"), counted.unknown("no_usage")), (0.5, 1.0));
    }
}
