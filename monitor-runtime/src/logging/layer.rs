//! The `tracing` layer that renders the fields of spans and the lines of events.

use std::sync::Arc;

use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::genai_spans;
use super::output::sink::{LineSink, Lines};
use super::record::callsite_cache::SpanKind;
use super::record::line::{LineFormat, with_line};
use super::spans::registry;
use super::spans::span_fields::SpanFields;
use super::{copies, current_span};
use crate::call::foreign_call::ForeignCall;
use crate::call::{foreign_call, observer};

/// Writes log lines beside other layers on one registry.
#[derive(Debug)]
pub(crate) struct LogLayer<K> {
    lines: Lines<K>,
    /// Whether the spans of other crates' model calls are read.
    reads_calls: bool,
}

impl<K: LineSink> LogLayer<K> {
    /// Makes a layer that reads model calls, too.
    pub(super) fn new(lines: Lines<K>) -> Self {
        foreign_call::install(current_span::foreign_call);
        Self { reads_calls: true, ..Self::for_lines(lines) }
    }

    /// Makes a layer for lines alone.
    pub(super) fn for_lines(lines: Lines<K>) -> Self {
        observer::install_identify(current_span::identify);
        #[cfg(feature = "runs")]
        observer::install_trace(current_span::trace_id);
        Self { lines, reads_calls: false }
    }

    /// Makes a layer that writes JSON, without a filter.
    #[cfg(feature = "testing")]
    pub(crate) fn json(sink: K) -> Self {
        Self::new(Lines::new(sink, LineFormat::JSON, None))
    }
}

impl<S, K> Layer<S> for LogLayer<K>
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    K: LineSink,
{
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        copies::note(metadata);
        genai_spans::note(metadata);
        Interest::always()
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let kind = with_line(|line| {
            let (own, kind) = line.bind(attributes);
            let inherit = |outer: &SpanFields| {
                let mut bound = SpanFields::new(Some(outer), own);
                if kind == SpanKind::Agent {
                    bound.name_parent(outer);
                }
                bound
            };
            let bound = span.parent().and_then(|parent| registry::read(parent, inherit));
            span.extensions_mut().replace(bound.unwrap_or_else(|| SpanFields::new(None, own)));
            #[cfg(feature = "otlp")]
            registry::name_span_as_known(&span);
            kind
        });
        // Another layer of ours on the same registry may have opened the call.
        if kind == SpanKind::ForeignCall && self.reads_calls && registry::own_call(&span).is_none() {
            let around = || span.parent().as_ref().and_then(registry::call_of);
            if let Some(call) = genai_spans::open(attributes, around) {
                span.extensions_mut().insert(call);
            }
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let reads_calls = self.reads_calls && genai_spans::are_there();
        let call = with_line(|line| {
            let own = line.record(values);
            let span = context.span(id)?;
            let call = if reads_calls { registry::own_call(&span) } else { None };
            registry::extend(span, own);
            call
        });
        if let Some(call) = call {
            genai_spans::record(&call, values);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        if self.reads_calls && genai_spans::are_there() {
            let call = context.span(&id).and_then(|span| span.extensions_mut().remove::<Arc<ForeignCall>>());
            if let Some(call) = call {
                call.close();
            }
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if copies::is_copied_event(event) {
            return;
        }
        self.lines.write(event, |fields| {
            context
                .event_span(event)
                .map(|span| registry::read(span, |bound| fields.copy_from(bound.fields())));
        });
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::fmt::{self, Display};
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::str::from_utf8;
    use std::sync::{Arc, Mutex};

    use tracing::field::{Empty, display};
    use tracing::level_filters::LevelFilter;
    use tracing::{Dispatch, Span, dispatcher, info, info_span, subscriber};
    use tracing_subscriber::Registry;
    use tracing_subscriber::filter::Targets;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::super::filter::LogFilter;
    use super::super::record::fields::{Fields, Key};
    use super::super::record::line::LineFormat;
    use super::super::records;
    use super::super::spans::slab::Slab;
    use super::super::spans::store::SpanStore;
    use super::super::subscriber::LogSubscriber;
    use super::*;
    use crate::trace_context::TraceContext;

    #[derive(Clone, Debug, Default)]
    struct Memory(Arc<Mutex<String>>);

    impl LineSink for Memory {
        fn push(&self, line: [&[u8]; 2]) {
            let mut lines = self.0.lock().unwrap();
            for part in line {
                lines.push_str(std::str::from_utf8(part).unwrap());
            }
        }
    }

    /// The lines that `run` logs, from the message on. They are the same with both of our subscribers.
    fn lines(run: impl Fn()) -> Vec<String> {
        let everything = LogFilter::new(Targets::new().with_default(LevelFilter::TRACE));
        let alone = written(|lines| LogSubscriber::new(lines, everything, true), &run);
        let beside = written(|lines| tracing_subscriber::registry().with(LogLayer::new(lines)), &run);
        assert_eq!(alone, beside);
        alone
    }

    fn written<S>(subscriber: impl FnOnce(Lines<Memory>) -> S, run: impl Fn()) -> Vec<String>
    where
        S: Subscriber + Send + Sync + 'static,
    {
        let memory = Memory::default();
        subscriber::with_default(subscriber(Lines::new(memory.clone(), LineFormat::JSON, None)), run);
        let lines = memory.0.lock().unwrap();
        let prefix = format!("\"logger\":\"{}\",", module_path!());
        lines.lines().map(|line| line.split_once(&prefix).map_or(line, |(_, line)| line).to_owned()).collect()
    }

    #[derive(Debug)]
    struct Failed(&'static str, Option<Box<Failed>>);

    impl Display for Failed {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Failed {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|source| source as _)
        }
    }

    #[test]
    fn every_kind_of_value_is_written_by_its_type() {
        let lines = lines(|| {
            info!(a = -1, b = u64::MAX, c = i128::from(i64::MIN), d = u128::MAX, e = i128::MIN, "numbers");
            info!(a = 1.5, b = f64::NAN, c = f64::INFINITY, d = 1.0, "floats");
            info!(a = true, b = "q\"", c = %"shown", d = ?"debugged", e = &b"\x00\xff"[..], f = None::<u8>, "others");
        });
        assert_eq!(
            lines,
            [
                r#""event":"numbers","a":-1,"b":18446744073709551615,"c":-9223372036854775808,"d":"340282366920938463463374607431768211455","e":"-170141183460469231731687303715884105728"}"#,
                r#""event":"floats","a":1.5,"b":"NaN","c":"inf","d":1.0}"#,
                r#""event":"others","a":true,"b":"q\"","c":"shown","d":"\"debugged\"","e":"[00 ff]"}"#,
            ]
        );
    }

    #[test]
    fn an_event_without_a_message_is_called_by_its_name() {
        let lines = lines(|| info!(name: "cache.miss", key = 1));
        assert_eq!(lines, [r#""event":"cache.miss","key":1}"#]);
    }

    #[test]
    fn a_message_stands_before_the_fields_wherever_it_was_written() {
        let lines = lines(|| tracing::event!(tracing::Level::INFO, a = 1, message = "m", b = 2));
        assert_eq!(lines, [r#""event":"m","a":1,"b":2}"#]);
    }

    #[test]
    fn a_message_is_a_string_whatever_its_type() {
        let lines = lines(|| {
            info!(message = 5, a = 1);
            info!(message = 1.5);
            info!(message = true);
            info!(message = u128::MAX);
        });
        assert_eq!(
            lines,
            [
                r#""event":"5","a":1}"#,
                r#""event":"1.5"}"#,
                r#""event":"true"}"#,
                r#""event":"340282366920938463463374607431768211455"}"#
            ]
        );
    }

    #[test]
    fn an_error_shows_its_sources_in_a_field_of_its_own() {
        let root = Failed("disk\ngone", None);
        let error = Failed("not saved", Some(Box::new(Failed("not written", Some(Box::new(root))))));
        let plain = Failed("alone", None);
        let lines = lines(|| {
            info!(error = &error as &dyn Error, "m");
            info!(error = &plain as &dyn Error, "m");
        });
        assert_eq!(
            lines,
            [
                r#""event":"m","error":"not saved","error.chain":"not written: disk\ngone"}"#,
                r#""event":"m","error":"alone"}"#
            ]
        );
    }

    #[test]
    fn an_error_that_is_its_own_source_is_shown_to_an_end() {
        #[derive(Debug)]
        struct Loop;
        impl Display for Loop {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("again")
            }
        }
        impl Error for Loop {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                Some(&Loop)
            }
        }
        let lines = lines(|| info!(error = &Loop as &dyn Error, "m"));
        assert_eq!(lines[0].matches("again").count(), 65);
    }

    #[test]
    fn fields_recorded_later_are_bound_from_then_on() {
        let lines = lines(|| {
            let span = info_span!("s", user = Empty, n = 1).entered();
            info!("before");
            span.record("user", "u");
            span.record("n", 2);
            info!("after");
        });
        assert_eq!(lines, [r#""event":"before","n":1}"#, r#""event":"after","user":"u","n":2}"#]);
    }

    #[test]
    fn an_explicit_parent_is_what_counts() {
        let lines = lines(|| {
            let outer = info_span!("outer", a = 1);
            let _entered = info_span!("entered", b = 2).entered();
            info!(parent: &outer, "in outer");
            info!(parent: None, "in none");
            info_span!(parent: &outer, "inner", c = 3).in_scope(|| info!("in inner"));
        });
        assert_eq!(
            lines,
            [r#""event":"in outer","a":1}"#, r#""event":"in none"}"#, r#""event":"in inner","a":1,"c":3}"#]
        );
    }

    #[test]
    fn a_panicking_value_leaves_no_partial_line() {
        struct Panics;
        impl Display for Panics {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("half")?;
                panic!("while it is formatted")
            }
        }
        let lines = lines(|| {
            let panicked = catch_unwind(AssertUnwindSafe(|| info!(a = 1, b = %Panics, "lost")));
            assert!(panicked.is_err());
            info!("whole");
        });
        assert_eq!(lines, [r#""event":"whole"}"#]);
    }

    #[test]
    fn a_value_whose_formatter_fails_is_cut_and_its_string_ended() {
        struct Fails;
        impl Display for Fails {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("half")?;
                Err(fmt::Error)
            }
        }
        assert_eq!(lines(|| info!(a = %Fails, b = 1, "m")), [r#""event":"m","a":"half","b":1}"#]);
    }

    #[test]
    fn a_record_of_the_log_crate_keeps_its_target_level_and_message() {
        // The only one of these tests with the `log` crate, whose logger is global.
        assert!(records::install(LevelFilter::TRACE));
        let memory = Memory::default();
        let layer = LogLayer::new(Lines::new(memory.clone(), LineFormat::JSON, None));
        subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let _span = info_span!("s", a = 1).entered();
            log::warn!(target: "driver", "slow {}", "query");
        });
        let line = memory.0.lock().unwrap().clone();
        assert!(
            line.ends_with("\"level\":\"warn\",\"logger\":\"driver\",\"event\":\"slow query\",\"a\":1}\n"),
            "{line}"
        );
    }

    #[test]
    fn two_layers_on_one_registry_both_show_what_is_bound() {
        let (one, other) = (Memory::default(), Memory::default());
        let registry = tracing_subscriber::registry().with(LogLayer::new(Lines::new(
            one.clone(),
            LineFormat::JSON,
            None,
        )));
        let registry = registry.with(LogLayer::new(Lines::new(
            other.clone(),
            LineFormat::Pretty { colour: false, has_location: false },
            None,
        )));
        subscriber::with_default(registry, || {
            let span = info_span!("s", a = 1, b = Empty).entered();
            span.record("b", display("x"));
            info!("m");
        });
        assert!(one.0.lock().unwrap().ends_with("\"event\":\"m\",\"a\":1,\"b\":\"x\"}\n"));
        assert!(other.0.lock().unwrap().ends_with(": m a=1 b=x\n"));
    }
    /// Runs `check` under a subscriber for each of the two span stores.
    fn with_each_store(check: impl Fn(&dyn SpanStore)) {
        let lines = || Lines::new(Memory::default(), LineFormat::JSON, None);
        let everything = LogFilter::new(Targets::new().with_default(LevelFilter::TRACE));
        subscriber::with_default(LogSubscriber::new(lines(), everything, true), || check(&Slab));
        let dispatch = Dispatch::new(tracing_subscriber::registry().with(LogLayer::new(lines())));
        let registry: &Registry = dispatch.downcast_ref().unwrap();
        dispatcher::with_default(&dispatch, || check(registry));
    }

    fn bound(spans: &dyn SpanStore, span: &Span) -> String {
        let mut text = String::new();
        spans.read(&span.id().unwrap(), &mut |fields| text.push_str(from_utf8(fields.bytes()).unwrap()));
        text
    }

    #[test]
    fn both_stores_bind_in_the_current_span_alone() {
        with_each_store(|spans| {
            let mut own = Fields::default();
            own.bind(Key::new("b"), |out| out.push(b'2'));
            assert!(!spans.extend_current(&own), "bound without an open span");
            let outer = info_span!("outer", a = 1).entered();
            let inner = info_span!("inner").entered();
            assert!(spans.extend_current(&own));
            assert_eq!(bound(spans, &inner), r#","a":1,"b":2"#);
            assert_eq!(bound(spans, &outer), r#","a":1"#);
        });
    }

    #[test]
    fn both_stores_give_the_trace_of_a_span_to_those_inside_it() {
        let trace = TraceContext::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
        with_each_store(|spans| {
            let outer = info_span!("outer").entered();
            spans.keep_trace(&outer.id().unwrap(), &trace);
            let inner = info_span!("inner").entered();
            assert_eq!(spans.current_trace().unwrap().to_string(), trace.to_string());
            drop((inner, outer));
            assert!(spans.current_trace().is_none(), "found a trace without an open span");
        });
    }
}
