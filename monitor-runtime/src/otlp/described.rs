//! What a span stands for: said as it is opened, since its fields alone do not tell.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use tracing::Metadata;
use tracing_core::callsite::Identifier;

use super::attributes::text;
#[cfg(feature = "http")]
use super::semconv::http;
use super::semconv::{db, gen_ai};
use crate::TraceContext;
use crate::families::calls::CallKind;

/// Whether anybody ever made spans of this process into OTLP's; until then nothing is described.
static IS_WANTED: AtomicBool = AtomicBool::new(false);

pub(super) fn want() {
    IS_WANTED.store(true, Ordering::Relaxed);
}

#[inline]
pub(crate) fn is_wanted() -> bool {
    IS_WANTED.load(Ordering::Relaxed)
}

thread_local! {
    static OPENING: RefCell<Option<Described>> = const { RefCell::new(None) };
}

/// What a span stands for, where that is ours to say.
#[derive(Debug)]
pub(crate) enum Described {
    /// A tracked call: whose span it is, its kind, and of a query its operation.
    Call(Identifier, CallKind, &'static str),
    /// A request.
    #[cfg(feature = "http")]
    Request(Box<Request>),
}

/// A request, as far as its span needs to know.
#[cfg(feature = "http")]
#[derive(Debug)]
pub(crate) struct Request {
    /// The label, `OTHER` for a method that is not known.
    pub(crate) method: &'static str,
    pub(crate) route: Option<String>,
    pub(crate) path: String,
    pub(crate) scheme: &'static str,
    pub(crate) caller: Option<TraceContext>,
}

/// Says what the span stands for that is opened next on this thread, while the guard lives. Another may be opened before, by the
/// code of a value that is formatted for it.
#[inline]
pub(crate) fn describe(described: impl FnOnce() -> Described) -> Option<Opening> {
    is_wanted().then(|| Opening { around: replace(Some(described())) })
}

/// What was said of the span that is being opened; it is said of one.
pub(super) fn take(metadata: &Metadata<'_>) -> Option<Described> {
    let take = |opening: &RefCell<Option<Described>>| {
        opening.try_borrow_mut().ok()?.take_if(|described| described.fits(metadata))
    };
    OPENING.try_with(take).ok().flatten()
}

fn replace(described: Option<Described>) -> Option<Described> {
    // Refused while the thread ends; what it still opens then stands for nothing.
    OPENING.try_with(|opening| opening.replace(described)).ok().flatten()
}

/// See [`describe`].
#[derive(Debug)]
pub(crate) struct Opening {
    /// What was said of the span that was being opened before.
    around: Option<Described>,
}

impl Drop for Opening {
    /// Takes back what nobody asked for.
    fn drop(&mut self) {
        let _ = replace(self.around.take());
    }
}

impl Described {
    /// Whether this is said of that span.
    fn fits(&self, metadata: &Metadata<'_>) -> bool {
        match self {
            Self::Call(site, ..) => *site == metadata.callsite(),
            #[cfg(feature = "http")]
            // Its values are plain text, so no other span is opened before.
            Self::Request(_) => true,
        }
    }

    /// Whose trace it goes on with.
    pub(super) fn caller(&self) -> Option<&TraceContext> {
        match self {
            Self::Call(..) => None,
            #[cfg(feature = "http")]
            Self::Request(request) => request.caller.as_ref(),
        }
    }

    pub(super) const fn kind(&self) -> SpanKind {
        match self {
            Self::Call(_, CallKind::Agent | CallKind::Skill, _) => SpanKind::Internal,
            Self::Call(_, CallKind::Query, _) => SpanKind::Client,
            #[cfg(feature = "http")]
            Self::Request(_) => SpanKind::Server,
        }
    }

    /// Names the span by OpenTelemetry's conventions; `attributes` are its fields, of a call the id's first.
    pub(super) fn name(self, attributes: &mut Vec<KeyValue>) -> String {
        match self {
            Self::Call(_, kind, operation) => {
                // Every call's span has it; without one there is nothing to take and nothing to name.
                let id = if attributes.is_empty() { String::new() } else { shown(attributes.remove(0)) };
                name_call(kind, operation, id, attributes)
            }
            #[cfg(feature = "http")]
            Self::Request(request) => request.name(attributes),
        }
    }
}

fn shown(attribute: KeyValue) -> String {
    match attribute.value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        _ => String::new(),
    }
}

fn name_call(kind: CallKind, operation: &'static str, id: String, attributes: &mut Vec<KeyValue>) -> String {
    match kind {
        CallKind::Agent => name_gen_ai(gen_ai::INVOKE_AGENT, gen_ai::AGENT_NAME, &id, attributes),
        CallKind::Skill => name_gen_ai(gen_ai::EXECUTE_TOOL, gen_ai::TOOL_NAME, &id, attributes),
        CallKind::Query => {
            put_default(attributes, db::SYSTEM_NAME, db::OTHER_SQL);
            put_default(attributes, db::OPERATION_NAME, operation);
            put_default(attributes, db::QUERY_SUMMARY, &id);
            id
        }
    }
}

fn name_gen_ai(operation: &str, key: &str, id: &str, attributes: &mut Vec<KeyValue>) -> String {
    let name = format!("{operation} {id}");
    put_default(attributes, gen_ai::OPERATION_NAME, operation);
    put_default(attributes, key, id);
    name
}

/// What the code itself says under a name of the conventions stays: it knows better.
fn put_default(attributes: &mut Vec<KeyValue>, key: &str, value: &str) {
    if !attributes.iter().any(|attribute| attribute.key == key) {
        attributes.push(text(key, value));
    }
}

/// Fields of a request's span that are for log lines.
#[cfg(feature = "http")]
const NAMED_OTHERWISE: [&str; 4] = ["trace_id", "span_id", "method", "endpoint"];

#[cfg(feature = "http")]
impl Request {
    fn name(self, attributes: &mut Vec<KeyValue>) -> String {
        let is_known = self.method != crate::families::method::OTHER;
        let method = if is_known { self.method } else { http::OTHER_METHOD };
        let called = if is_known { self.method } else { http::OTHER_METHOD_SPAN };
        // Those of the caller, which the span says in the lines of a log without spans of ours.
        // `method` and `endpoint` have names of the conventions.
        attributes.retain(|attribute| !NAMED_OTHERWISE.contains(&&*attribute.key));
        attributes.push(text(http::REQUEST_METHOD, method));
        attributes.push(text(http::URL_PATH, self.path));
        attributes.push(text(http::URL_SCHEME, self.scheme));
        match self.route {
            None => called.to_owned(),
            Some(route) => {
                let name = format!("{called} {route}");
                attributes.push(text(http::ROUTE, route));
                name
            }
        }
    }
}
