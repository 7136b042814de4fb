//! An open span and its completion.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use tracing::Dispatch;
use tracing_subscriber::registry::{LookupSpan as _, Registry};

use super::attributes::attribute;
use super::attributes::text;
use super::semconv::error;
use super::semconv::gen_ai;
use super::semconv::http;
use super::semconv::own;
use crate::Outcome;
use crate::call::CallId;
use crate::call::observer::{self, CallEnded, FirstItem, ModelReplied, Observer};
use crate::error_chain::{ErrorText, MOST_STATUS_BYTES};
use crate::families::CallKind;
use crate::families::method::OTHER_METHOD;

/// The status that the request layer counts if the client does not wait for the end of the response.
const CLIENT_LEFT: u16 = 499;

/// A recorded span, kept in the extensions of its `tracing` span while it is open.
#[derive(Debug)]
pub(super) struct OpenSpan {
    pub(super) span: Span,
    /// Whether an observer reports the end of the span, as for calls and requests.
    is_described: bool,
    has_ended: bool,
}

impl OpenSpan {
    pub(super) fn new(span: Span, is_described: bool) -> Self {
        Self { span, is_described, has_ended: false }
    }

    /// The exported span, when the `tracing` span closes. A prepared call that never began is not exported.
    pub(super) fn close(mut self) -> Option<Span> {
        if !self.has_ended && self.is_described {
            return None;
        }
        if !self.has_ended {
            self.span.end_time_unix_nano = now();
        }
        Some(self.span)
    }

    /// Sets end and start, so that the duration equals the one in the metrics.
    fn end(&mut self, nanos: u64) {
        self.has_ended = true;
        self.span.end_time_unix_nano = now();
        self.span.start_time_unix_nano = self.span.end_time_unix_nano.saturating_sub(nanos);
    }

    fn fail(&mut self, kind: impl Into<String>) {
        let kind = kind.into();
        // The error of a stream's item has set its type before the call ended, and `_OTHER` must not replace it.
        if kind != error::OTHER || self.span.attributes.iter().all(|attribute| attribute.key != error::TYPE) {
            self.name_type(kind);
        }
        let said = self.span.status.take().unwrap_or_default();
        self.span.status = Some(Status { code: StatusCode::Error.into(), ..said });
    }
}

impl OpenSpan {
    /// Adds an attribute that is known, unless the code itself has set one of that name.
    fn put(&mut self, attribute: Option<KeyValue>) {
        let attributes = &mut self.span.attributes;
        let attribute = attribute.filter(|new| attributes.iter().all(|known| known.key != new.key));
        attributes.extend(attribute);
    }

    /// Adds the id of the run that encloses a call, if there is one.
    pub(super) fn put_run(&mut self, call: CallId) {
        let run = observer::identify_run(call);
        self.put(run.map(|run| text(own::RUN_ID, &*run.value)));
    }

    fn name_type(&mut self, kind: impl Into<String>) {
        self.span.attributes.retain(|attribute| attribute.key != error::TYPE);
        self.span.attributes.push(text(error::TYPE, kind));
    }
}

/// The kind of a span without a descriptor.
pub(super) const PLAIN: SpanKind = SpanKind::Internal;

/// Nanoseconds since 1970, the unit of time in OTLP.
pub(super) fn now() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX)
}

/// Completes the spans of calls and requests when they end.
#[derive(Debug)]
pub(super) struct SpanCompletion;

impl Observer for SpanCompletion {
    fn call_identified(&self, call: CallId, span: Option<&tracing::Span>) {
        change(span, |open| open.put_run(call));
    }

    fn first_item_yielded(&self, item: &FirstItem<'_>) {
        if item.kind == CallKind::Model {
            change(item.span, |open| {
                open.put(Some(attribute(gen_ai::REQUEST_STREAM, Value::BoolValue(true))));
                let seconds = Value::DoubleValue(item.nanos as f64 / 1e9);
                open.put(Some(attribute(gen_ai::TIME_TO_FIRST_CHUNK, seconds)));
            });
        }
    }

    fn call_ended(&self, call: &CallEnded<'_>) {
        change(call.span, |open| {
            open.end(call.nanos);
            match call.outcome {
                Outcome::Success => {}
                Outcome::Error => open.fail(error::OTHER),
                Outcome::Panic => open.fail(error::PANIC),
                Outcome::Cancelled => open.fail(error::CANCELLED),
            }
        });
    }

    fn model_replied(&self, call: &ModelReplied<'_>) {
        let report = &call.ended.report;
        // The call that produced the response has reported its usage.
        let is_fetched = call.operation == gen_ai::FETCH_RESPONSE;
        change(call.span, |open| {
            let counts = [
                (gen_ai::INPUT_TOKENS, report.usage.input_tokens()),
                (gen_ai::OUTPUT_TOKENS, report.usage.output_tokens()),
                (gen_ai::CACHED_TOKENS, report.usage.cached_input_tokens()),
                (gen_ai::CACHE_WRITE_TOKENS, report.usage.cache_write_input_tokens()),
                (gen_ai::REASONING_TOKENS, report.usage.reasoning_output_tokens()),
            ];
            for (key, tokens) in counts {
                let tokens = tokens.filter(|_| !is_fetched).and_then(|tokens| i64::try_from(tokens).ok());
                open.put(tokens.map(|tokens| attribute(key, Value::IntValue(tokens))));
            }
            open.put(report.response_id.as_deref().map(|id| text(gen_ai::RESPONSE_ID, id)));
            open.put(report.model.as_deref().map(|model| text(gen_ai::RESPONSE_MODEL, model)));
            open.put(report.finish_reason.as_deref().map(|reason| {
                let reason = AnyValue { value: Some(Value::StringValue(reason.to_owned())) };
                attribute(gen_ai::FINISH_REASONS, Value::ArrayValue(ArrayValue { values: vec![reason] }))
            }));
        });
    }

    fn error_bytes(&self, _: CallId, span: Option<&tracing::Span>) -> usize {
        if span.is_some_and(|span| !span.is_disabled()) { MOST_STATUS_BYTES } else { 0 }
    }

    fn call_failed(&self, _: CallId, span: Option<&tracing::Span>, error: &ErrorText) {
        change(span, |open| open.span.status.get_or_insert_default().message = error.status());
    }

    fn error_typed(&self, _: CallId, span: Option<&tracing::Span>, error_type: &'static str) {
        change(span, |open| open.name_type(error_type));
    }

    fn request_routed(&self, span: &tracing::Span, method: &str, endpoint: &str) {
        change(Some(span), |open| {
            let method = if method == OTHER_METHOD { http::OTHER_METHOD_SPAN } else { method };
            open.span.name = format!("{method} {endpoint}");
            open.span.attributes.retain(|attribute| attribute.key != "endpoint");
            open.span.attributes.push(text(http::ROUTE, endpoint));
        });
    }

    fn request_ended(&self, span: Option<&tracing::Span>, status: u16, nanos: u64) {
        change(span, |open| {
            open.end(nanos);
            if status == CLIENT_LEFT {
                return open.fail(error::CANCELLED);
            }
            open.span.attributes.push(attribute(http::STATUS_CODE, Value::IntValue(status.into())));
            if status >= 500 {
                open.fail(status.to_string());
            }
        });
    }
}

/// Changes the exported span, if it is recorded.
#[inline]
fn change(span: Option<&tracing::Span>, change: impl FnOnce(&mut OpenSpan)) {
    if let Some(span) = span {
        span.with_subscriber(|(id, dispatch)| change_in(dispatch, id, change));
    }
}

fn change_in(dispatch: &Dispatch, id: &tracing::Id, change: impl FnOnce(&mut OpenSpan)) {
    let span = dispatch.downcast_ref::<Registry>().and_then(|registry| registry.span(id));
    let Some(span) = span else { return };
    if let Some(open) = span.extensions_mut().get_mut::<OpenSpan>() {
        change(open);
    }
}
