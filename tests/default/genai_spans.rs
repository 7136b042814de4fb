//! The spans that other crates open for their model calls: each is one call, whoever else tracks it.

use std::future;
use std::time::Duration;

use monitor_runtime::genai::{self, Usage};
use monitor_runtime::testing::{Recording, capture_logs};
use monitor_runtime::{context, track_agent, track_model, track_skill};
use tracing::field::Empty;
use tracing::{Instrument as _, Span, info_span};

/// The values of one model's metrics.
struct Counted<'r>(&'r Recording, &'static str);

impl Counted<'_> {
    fn calls(&self, status: &str) -> f64 {
        self.0.value("model_calls_total", &[("model", self.1), ("status", status)])
    }

    fn of_model(&self, metric: &str) -> f64 {
        self.0.value(metric, &[("model", self.1)])
    }

    fn unknown(&self, reason: &str) -> f64 {
        self.0.value("model_usage_unknown_total", &[("model", self.1), ("reason", reason)])
    }

    fn in_flight(&self) -> f64 {
        self.of_model("active_model_calls")
    }

    fn tokens(&self) -> (f64, f64) {
        (self.of_model("model_input_tokens_total"), self.of_model("model_output_tokens_total"))
    }

    fn tokens_of(&self, agent: &str) -> f64 {
        self.0.value("model_input_tokens_total", &[("agent_id", agent), ("model", self.1)])
    }
}

/// Runs `work` under a subscriber that reads the spans, and passes a recording of its numbers.
fn counted(model: &'static str, work: impl FnOnce(&Counted<'_>)) {
    let recording = Recording::start();
    capture_logs(|| work(&Counted(&recording, model)));
}

/// A span as `rig` 0.44 opens it for a turn of an agent: provider and model come later.
fn rig_turn() -> Span {
    info_span!(
        target: "rig::agent_chat",
        "chat",
        rig.completion_parent = true,
        gen_ai.operation.name = "chat",
        gen_ai.provider.name = Empty,
        gen_ai.request.model = Empty,
        gen_ai.request.stream = Empty,
        gen_ai.response.id = Empty,
        gen_ai.response.model = Empty,
        gen_ai.usage.input_tokens = Empty,
        gen_ai.usage.output_tokens = Empty,
        gen_ai.usage.cache_read.input_tokens = Empty,
        gen_ai.usage.cache_creation.input_tokens = Empty,
        gen_ai.usage.reasoning_tokens = Empty,
    )
}

/// A span as `genai` 0.7 opens it.
fn genai_chat(model: &str) -> Span {
    info_span!(
        "genai.chat",
        "otel.status_code" = Empty,
        "error.type" = Empty,
        "gen_ai.operation.name" = "chat",
        "gen_ai.provider.name" = "openai",
        "gen_ai.request.model" = model,
        "gen_ai.request.stream" = true,
        "gen_ai.response.model" = Empty,
        "gen_ai.response.finish_reasons" = Empty,
        "gen_ai.usage.input_tokens" = Empty,
        "gen_ai.usage.output_tokens" = Empty,
        "gen_ai.usage.cache_read.input_tokens" = Empty,
        "gen_ai.usage.cache_creation.input_tokens" = Empty,
        "gen_ai.usage.reasoning.output_tokens" = Empty,
        "gen_ai.response.time_to_first_chunk" = Empty,
    )
}

/// Records the counts of a reply, as every crate does.
fn reply(span: &Span, input: u64, output: u64) {
    span.record("gen_ai.usage.input_tokens", input);
    span.record("gen_ai.usage.output_tokens", output);
}

mod calls {
    use super::*;

    #[test]
    fn a_span_is_one_call_with_its_usage() {
        counted("span-genai", |model| {
            let span = genai_chat("span-genai");
            assert_eq!(model.in_flight(), 1.0);
            span.record("gen_ai.response.time_to_first_chunk", 0.05);
            reply(&span, 812, 96);
            span.record("gen_ai.usage.cache_read.input_tokens", 640_i64);
            span.record("gen_ai.usage.cache_creation.input_tokens", 100_i64);
            span.record("gen_ai.usage.reasoning.output_tokens", 64_i64);
            drop(span);
            assert_eq!((model.calls("success"), model.in_flight()), (1.0, 0.0));
            assert_eq!(model.tokens(), (812.0, 96.0));
            assert_eq!(model.of_model("model_cached_input_tokens_total"), 640.0);
            assert_eq!(model.of_model("model_cache_write_input_tokens_total"), 100.0);
            assert_eq!(model.of_model("model_reasoning_output_tokens_total"), 64.0);
            assert_eq!(model.of_model("model_time_to_first_chunk_seconds_count"), 1.0);
            assert_eq!(model.of_model("model_time_to_first_chunk_seconds_sum"), 0.05);
            assert_eq!(model.of_model("model_call_duration_seconds_count"), 1.0);
            let labels = [("provider", "openai"), ("model", "span-genai")];
            assert_eq!(model.0.value("model_calls_total", &labels), 1.0);
        });
    }

    #[test]
    fn provider_and_model_may_be_recorded_later() {
        counted("span-later", |model| {
            let span = rig_turn();
            assert_eq!(model.in_flight(), 0.0, "it is not known of which model");
            span.record("gen_ai.operation.name", "chat");
            span.record("gen_ai.provider.name", "anthropic");
            span.record("gen_ai.request.model", "span-later");
            assert_eq!(model.in_flight(), 1.0);
            reply(&span, 10, 1);
            drop(span);
            assert_eq!((model.calls("success"), model.tokens()), (1.0, (10.0, 1.0)));
            assert_eq!(model.0.value("model_calls_total", &[("provider", "anthropic")]), 1.0);
        });
    }

    #[test]
    fn spans_of_runs_and_tools_are_no_calls() {
        counted("span-run", |model| {
            for operation in ["invoke_agent", "invoke_workflow", "execute_tool", "plan", "create_agent"] {
                let span = info_span!(
                    "chat",
                    gen_ai.operation.name = operation,
                    gen_ai.request.model = "span-run",
                    gen_ai.usage.input_tokens = 5_u64,
                );
                drop(span);
            }
            assert_eq!((model.of_model("model_calls_total"), model.tokens()), (0.0, (0.0, 0.0)));
        });
    }

    #[test]
    fn a_span_without_an_operation_is_known_by_its_name() {
        counted("span-named", |model| {
            let adk = info_span!(
                "gen_ai.generate",
                gen_ai.system = "gemini",
                gen_ai.request.model = "span-named",
                gen_ai.usage.input_tokens = Empty,
                gen_ai.usage.output_tokens = Empty,
                gen_ai.usage.cache_read_tokens = Empty,
                gen_ai.usage.thinking_tokens = Empty,
            );
            reply(&adk, 3, 4);
            reply(&adk, 30, 40);
            adk.record("gen_ai.usage.cache_read_tokens", 20);
            adk.record("gen_ai.usage.thinking_tokens", 7);
            drop(adk);
            drop(info_span!(
                "request",
                gen_ai.request.model = "span-named",
                gen_ai.usage.input_tokens = 9_u64
            ));
            assert_eq!(model.tokens(), (30.0, 40.0), "the last counts");
            assert_eq!(model.of_model("model_cached_input_tokens_total"), 20.0);
            assert_eq!(model.of_model("model_reasoning_output_tokens_total"), 7.0);
            assert_eq!(model.of_model("model_calls_total"), 1.0);
        });
    }

    #[test]
    fn counts_may_be_shown_as_text() {
        counted("span-text", |model| {
            let span = genai_chat("span-text");
            span.record("gen_ai.usage.input_tokens", tracing::field::display(812));
            span.record("gen_ai.usage.output_tokens", "96");
            drop(span);
            assert_eq!(model.tokens(), (812.0, 96.0));
        });
    }

    #[test]
    fn counts_that_break_the_contract_are_corrected() {
        counted("span-beside", |model| {
            let span = genai_chat("span-beside");
            reply(&span, 172, 96);
            span.record("gen_ai.usage.cache_read.input_tokens", 640);
            drop(span);
            assert_eq!(model.tokens(), (812.0, 96.0), "the cache is beside the input");
            assert_eq!(model.of_model("model_usage_corrected_total"), 1.0);
        });
        counted("span-negative", |model| {
            let span = genai_chat("span-negative");
            span.record("gen_ai.usage.input_tokens", -1);
            drop(span);
            assert_eq!((model.tokens().0, model.of_model("model_usage_corrected_total")), (0.0, 1.0));
        });
    }
}

mod ends {
    use super::*;

    #[test]
    fn an_error_counts_by_its_type() {
        counted("span-error", |model| {
            let span = genai_chat("span-error");
            span.record("otel.status_code", "error");
            span.record("error.type", "429");
            drop(span);
            assert_eq!((model.calls("error"), model.unknown("failed")), (1.0, 1.0));
            let labels = [("model", "span-error"), ("error_type", "429")];
            assert_eq!(model.0.value("model_errors_total", &labels), 1.0);
        });
    }

    #[test]
    fn a_span_that_could_have_told_an_error_was_dropped() {
        counted("span-dropped", |model| {
            drop(genai_chat("span-dropped"));
            assert_eq!((model.calls("cancelled"), model.unknown("cancelled")), (1.0, 1.0));
            let span = genai_chat("span-dropped");
            span.record("gen_ai.response.time_to_first_chunk", 0.5);
            drop(span);
            assert_eq!((model.calls("cancelled"), model.unknown("stream_cut")), (2.0, 1.0));
        });
    }

    #[test]
    fn a_span_that_cannot_tell_an_error_and_has_no_reply_is_one() {
        counted("span-silent", |model| {
            let span = rig_turn();
            span.record("gen_ai.provider.name", "openai");
            span.record("gen_ai.request.model", "span-silent");
            drop(span);
            assert_eq!((model.calls("error"), model.unknown("failed")), (1.0, 1.0));
        });
    }

    #[test]
    fn a_reply_without_usage_is_unknown_and_not_zero() {
        counted("span-no-usage", |model| {
            let span = genai_chat("span-no-usage");
            span.record("gen_ai.response.model", "span-no-usage-2026");
            drop(span);
            assert_eq!((model.calls("success"), model.unknown("no_usage")), (1.0, 1.0));
        });
    }

    #[test]
    fn a_panic_closes_the_span_as_one() {
        counted("span-panic", |model| {
            std::panic::catch_unwind(|| {
                let _span = genai_chat("span-panic").entered();
                panic!("asked to");
            })
            .unwrap_err();
            assert_eq!(model.calls("panic"), 1.0);
        });
    }
}

mod once {
    use super::*;

    fn ask(model: &str) {
        let span = genai_chat(model);
        reply(&span, 10, 1);
    }

    #[track_model("span-tracked", provider = "openai", usage = known)]
    fn with_usage() -> u64 {
        ask("span-tracked-inner");
        7
    }

    #[allow(
        clippy::trivially_copy_pass_by_ref,
        clippy::unnecessary_wraps,
        reason = "the form that `usage` asks for"
    )]
    fn known(input: &u64) -> Option<Usage> {
        Some(Usage::new(*input, 0))
    }

    #[test]
    fn a_span_inside_a_tracked_call_is_that_call() {
        let recording = Recording::start();
        capture_logs(with_usage);
        assert_eq!(recording.value("model_calls_total", &[("model", "span-tracked")]), 1.0);
        assert_eq!(recording.value("model_input_tokens_total", &[("model", "span-tracked")]), 7.0);
        assert_eq!(recording.value("model_calls_total", &[("model", "span-tracked-inner")]), 0.0);
        assert_eq!(recording.value("model_input_tokens_total", &[("model", "span-tracked-inner")]), 0.0);
    }

    #[track_skill("span_transport")]
    async fn transport(model: &str) {
        let span = genai_chat(model);
        async { tokio::task::yield_now().await }.instrument(span.clone()).await;
        reply(&span, 10, 1);
    }

    #[track_model("span-without", provider = "openai")]
    async fn without_usage(attempts: u32) -> &'static str {
        for _ in 0..attempts {
            transport("span-without-inner").await;
        }
        "no usage of its own"
    }

    #[tokio::test]
    async fn a_tracked_call_without_usage_takes_that_of_all_spans_inside() {
        let recording = Recording::start();
        monitor_runtime::testing::capture_logs_async(without_usage(3)).await;
        let labels = [("model", "span-without")];
        assert_eq!(recording.value("model_input_tokens_total", &labels), 30.0);
        assert_eq!(recording.value("model_usage_unknown_total", &labels), 0.0);
        assert_eq!(recording.value("model_calls_total", &[("model", "span-without-inner")]), 0.0);
    }

    #[tokio::test]
    async fn a_task_inside_a_tracked_call_belongs_to_it() {
        #[track_model("span-task", provider = "openai")]
        async fn spawning() {
            context::spawn(transport("span-task-inner")).await.unwrap();
        }

        let recording = Recording::start();
        monitor_runtime::testing::capture_logs_async(spawning()).await;
        assert_eq!(recording.value("model_input_tokens_total", &[("model", "span-task")]), 10.0);
        assert_eq!(recording.value("model_calls_total", &[("model", "span-task-inner")]), 0.0);
    }

    #[test]
    fn a_span_that_outlives_the_tracked_call_around_it_changes_nothing() {
        #[track_model("span-outlived", provider = "openai")]
        fn open() -> Span {
            genai_chat("span-outlived-inner")
        }

        let recording = Recording::start();
        capture_logs(|| {
            let span = open();
            reply(&span, 10, 1);
        });
        assert_eq!(recording.value("model_usage_unknown_total", &[("model", "span-outlived")]), 1.0);
        assert_eq!(recording.value("model_input_tokens_total", &[]), 0.0);
        assert_eq!(recording.value("model_calls_total", &[("model", "span-outlived-inner")]), 0.0);
    }

    #[track_model("span-adopted", provider = "openai")]
    fn tracked_provider() {
        ask("span-adopted-inner");
    }

    #[test]
    fn a_tracked_call_inside_a_span_is_the_one_to_count() {
        counted("span-outer", |model| {
            for span in [rig_turn(), genai_chat("span-outer")] {
                span.in_scope(tracked_provider);
                reply(&span, 10, 1);
            }
            assert_eq!((model.of_model("model_calls_total"), model.in_flight()), (0.0, 0.0));
            assert_eq!(model.tokens(), (0.0, 0.0));
            let tracked = Counted(model.0, "span-adopted");
            assert_eq!((tracked.calls("success"), tracked.tokens()), (2.0, (20.0, 2.0)));
            assert_eq!(model.0.value("model_calls_total", &[]), 2.0);
        });
    }

    #[track_model("span-taking", provider = "openai")]
    fn silent() {}

    #[test]
    fn a_tracked_call_without_usage_takes_that_of_the_span_around() {
        counted("span-giving", |model| {
            let taking = Counted(model.0, "span-taking");
            let span = genai_chat("span-giving");
            span.in_scope(silent);
            span.in_scope(silent);
            assert_eq!(taking.unknown("no_usage"), 0.0, "not known yet");
            reply(&span, 10, 1);
            drop(span);
            assert_eq!((taking.calls("success"), taking.tokens()), (2.0, (10.0, 1.0)));
            assert_eq!(taking.unknown("no_usage"), 1.0, "of the attempt before the last one");
            assert_eq!((model.of_model("model_calls_total"), model.tokens()), (0.0, (0.0, 0.0)));
        });
    }

    #[test]
    fn a_tracked_call_without_usage_takes_that_of_all_spans_around() {
        counted("span-giving", |model| {
            let outer = rig_turn();
            outer.in_scope(|| {
                let inner = genai_chat("span-giving");
                inner.in_scope(silent);
                reply(&inner, 10, 1);
                ask("span-beside-taking");
            });
            drop(outer);
            assert_eq!(Counted(model.0, "span-taking").tokens(), (10.0, 1.0));
            assert_eq!(Counted(model.0, "span-beside-taking").tokens(), (10.0, 1.0));
            assert_eq!(model.0.value("model_usage_unknown_total", &[]), 0.0);
        });
    }

    #[test]
    fn a_span_without_usage_leaves_the_tracked_call_inside_unknown() {
        counted("span-giving", |model| {
            genai_chat("span-giving").in_scope(silent);
            assert_eq!(Counted(model.0, "span-taking").unknown("no_usage"), 1.0);
        });
    }

    #[test]
    fn a_hand_written_call_inside_a_span_is_the_one_to_count() {
        counted("span-around", |model| {
            let span = genai_chat("span-around");
            span.in_scope(|| {
                let mut call = genai::call("openai", "span-by-hand");
                call.usage(Usage::new(10, 1));
                call.finish("stop");
            });
            reply(&span, 10, 1);
            drop(span);
            assert_eq!(model.of_model("model_calls_total"), 0.0);
            assert_eq!(Counted(model.0, "span-by-hand").tokens(), (10.0, 1.0));
        });
    }

    #[test]
    fn of_spans_inside_each_other_the_outermost_counts() {
        counted("span-nested", |model| {
            let outer = rig_turn();
            outer.in_scope(|| {
                let inner = genai_chat("span-nested");
                assert_eq!(model.in_flight(), 1.0, "the inner span knows the model");
                reply(&inner, 10, 1);
            });
            assert_eq!(model.in_flight(), 1.0);
            reply(&outer, 10, 1);
            drop(outer);
            assert_eq!((model.calls("success"), model.tokens()), (1.0, (10.0, 1.0)));
        });
    }

    #[test]
    fn a_failed_attempt_inside_does_not_fail_the_call() {
        counted("span-attempts", |model| {
            let outer = rig_turn();
            outer.in_scope(|| {
                genai_chat("span-attempts").record("error.type", "503");
                ask("span-attempts");
            });
            drop(outer);
            assert_eq!((model.calls("success"), model.calls("error")), (1.0, 0.0));
            assert_eq!(model.tokens(), (10.0, 1.0));
        });
    }

    #[track_agent("span_sub_agent")]
    fn sub_agent() {
        ask("span-sub-agent");
    }

    #[test]
    fn a_span_of_another_agent_inside_counts_for_itself() {
        counted("span-turn", |model| {
            let span = genai_chat("span-turn");
            span.in_scope(sub_agent);
            reply(&span, 10, 1);
            drop(span);
            assert_eq!(model.tokens(), (10.0, 1.0));
            assert_eq!(Counted(model.0, "span-sub-agent").tokens_of("span_sub_agent"), 10.0);
        });
    }

    #[track_agent("span_inner_agent")]
    fn agent_inside() {
        ask("span-of-inner-agent");
    }

    #[track_model("span-with-tools", provider = "openai", usage = known)]
    fn with_tools(tools: impl FnOnce()) -> u64 {
        tools();
        7
    }

    #[test]
    fn an_agent_inside_a_tracked_call_counts_for_itself() {
        let recording = Recording::start();
        capture_logs(|| with_tools(agent_inside));
        assert_eq!(Counted(&recording, "span-with-tools").tokens(), (7.0, 0.0));
        assert_eq!(Counted(&recording, "span-of-inner-agent").tokens_of("span_inner_agent"), 10.0);
    }

    #[tokio::test]
    async fn a_task_of_an_agent_inside_a_tracked_call_is_not_its_part() {
        #[track_agent("span_spawning_agent")]
        async fn spawning_agent() {
            context::spawn(transport("span-of-spawned")).await.unwrap();
        }

        #[track_model("span-without-tokens", provider = "openai")]
        async fn without_tokens() {
            spawning_agent().await;
        }

        let recording = Recording::start();
        monitor_runtime::testing::capture_logs_async(without_tokens()).await;
        assert_eq!(Counted(&recording, "span-without-tokens").tokens(), (0.0, 0.0));
        assert_eq!(Counted(&recording, "span-of-spawned").tokens_of("span_spawning_agent"), 10.0);
    }

    #[test]
    fn an_agent_inside_its_own_call_counts_for_itself() {
        #[track_agent("span_recursive")]
        fn recursive(depth: u32) {
            if depth == 0 {
                ask("span-recursive-leaf");
            } else {
                with_tools(|| recursive(depth - 1));
            }
        }

        let recording = Recording::start();
        capture_logs(|| recursive(1));
        assert_eq!(Counted(&recording, "span-with-tools").tokens_of("span_recursive"), 7.0);
        assert_eq!(Counted(&recording, "span-recursive-leaf").tokens_of("span_recursive"), 10.0);
    }

    #[tokio::test]
    async fn a_span_in_the_scope_of_a_hand_written_call_is_that_call() {
        let recording = Recording::start();
        let lines = monitor_runtime::testing::capture_logs_async(async {
            let mut call = genai::call("openai", "span-scope");
            call.in_scope(|| {
                tracing::info!("inside");
                ask("span-in-scope");
            });
            call.in_scope_async(transport("span-in-scope")).await;
            call.finish("stop");
            // Without usage of its own it takes theirs; with usage it keeps its own.
            let mut call = genai::call("openai", "span-scope");
            call.in_scope(|| ask("span-in-scope"));
            call.usage(Usage::new(7, 0));
            call.finish("stop");
        })
        .await;
        let call = Counted(&recording, "span-scope");
        assert_eq!((call.calls("success"), call.tokens()), (2.0, (27.0, 2.0)));
        assert_eq!(Counted(&recording, "span-in-scope").of_model("model_calls_total"), 0.0);
        assert_eq!(lines[0]["model"], "span-scope");
    }

    #[test]
    fn a_span_beside_a_hand_written_call_is_another_call() {
        let recording = Recording::start();
        capture_logs(|| {
            let mut call = genai::call("openai", "span-held");
            ask("span-beside");
            call.usage(Usage::new(7, 0));
            call.finish("stop");
        });
        assert_eq!(Counted(&recording, "span-held").tokens(), (7.0, 0.0));
        assert_eq!(Counted(&recording, "span-beside").tokens(), (10.0, 1.0));
    }

    #[test]
    fn fields_of_a_tracked_function_are_no_call() {
        #[track_agent(
            "span_own_fields",
            fields(gen_ai.request.model = "span-own", gen_ai.usage.input_tokens = 5_u64)
        )]
        fn chat() {}

        counted("span-own", |model| {
            chat();
            assert_eq!(model.of_model("model_calls_total"), 0.0);
        });
    }
}

mod cost {
    use std::cell::Cell;
    use std::fmt::{self, Debug};

    use super::*;

    /// Counts how often it is formatted.
    struct Formatted<'c>(&'c Cell<u32>);

    impl Debug for Formatted<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.set(self.0.get() + 1);
            f.write_str("text")
        }
    }

    #[test]
    fn values_that_say_nothing_of_a_call_are_formatted_for_the_line_alone() {
        let times = Cell::new(0);
        counted("span-cost", |_| {
            let plain = info_span!("chat", prompt = ?Formatted(&times), later = Empty);
            plain.record("later", tracing::field::debug(Formatted(&times)));
            assert_eq!(times.take(), 2, "not visited");
            let call = info_span!(
                "chat",
                gen_ai.usage.input_tokens = Empty,
                gen_ai.prompt = ?Formatted(&times),
                later = Empty
            );
            call.record("later", tracing::field::debug(Formatted(&times)));
            assert_eq!(times.take(), 2, "visited, and passed over");
            call.record("gen_ai.usage.input_tokens", tracing::field::debug(Formatted(&times)));
            assert_eq!(times.take(), 2, "for the line and for the call");
        });
    }
}

mod agents {
    use super::*;

    async fn ask() {
        let span = genai_chat("span-agents");
        async { tokio::task::yield_now().await }.instrument(span.clone()).await;
        reply(&span, 10, 1);
    }

    #[track_agent("span_researcher")]
    async fn research() {
        for _ in 0..3 {
            ask().await;
        }
    }

    #[track_agent("span_planner")]
    async fn plan() {
        ask().await;
        research().await;
    }

    #[tokio::test]
    async fn tokens_count_for_the_agent_around_the_span() {
        let recording = Recording::start();
        let two = async { tokio::join!(plan(), research()) };
        monitor_runtime::testing::capture_logs_async(two).await;
        let model = Counted(&recording, "span-agents");
        assert_eq!(model.tokens_of("span_planner"), 10.0);
        assert_eq!(model.tokens_of("span_researcher"), 60.0);
        assert_eq!(model.tokens(), (70.0, 7.0));
    }

    #[test]
    fn a_span_counts_for_the_agent_in_which_it_was_opened() {
        #[track_agent("span_opener")]
        fn open() -> Span {
            genai_chat("span-opened")
        }

        let recording = Recording::start();
        capture_logs(|| reply(&open(), 10, 1));
        assert_eq!(Counted(&recording, "span-opened").tokens_of("span_opener"), 10.0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_that_is_dropped_drops_its_calls() {
        let recording = Recording::start();
        monitor_runtime::testing::capture_logs_async(async {
            let waiting = future::pending::<()>().instrument(genai_chat("span-left"));
            tokio::time::timeout(Duration::from_secs(1), waiting).await.unwrap_err();
        })
        .await;
        let model = Counted(&recording, "span-left");
        assert_eq!((model.calls("cancelled"), model.in_flight()), (1.0, 0.0));
    }
}
