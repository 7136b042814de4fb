//! A span's name, kind and attributes by OpenTelemetry's conventions, from its descriptor.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use super::attributes::text;
use super::semconv::{db, gen_ai, http};
use crate::call::span_descriptor::{RequestDescriptor, SpanDescriptor};
use crate::families::CallKind;
use crate::families::method::OTHER_METHOD;
use crate::trace_context::TraceContext;

/// The remote parent of a span.
pub(super) fn caller(descriptor: &SpanDescriptor) -> Option<&TraceContext> {
    match descriptor {
        SpanDescriptor::Call { .. } => None,
        SpanDescriptor::Request(request) => request.caller.as_ref(),
    }
}

pub(super) const fn kind(descriptor: &SpanDescriptor) -> SpanKind {
    match descriptor {
        SpanDescriptor::Call { kind: CallKind::Agent | CallKind::Skill, .. } => SpanKind::Internal,
        SpanDescriptor::Call { kind: CallKind::Query | CallKind::Model, .. } => SpanKind::Client,
        SpanDescriptor::Request(_) => SpanKind::Server,
    }
}

/// Names the span, and converts its fields in `attributes` to the conventions. For a call, the first field is the id.
pub(super) fn name(descriptor: SpanDescriptor, attributes: &mut Vec<KeyValue>) -> String {
    match descriptor {
        SpanDescriptor::Call { kind, operation, provider, .. } => {
            // The span of every call has an id; without one it gets an empty name.
            let id = if attributes.is_empty() { String::new() } else { shown(attributes.remove(0)) };
            name_call(kind, operation, &provider, id, attributes)
        }
        SpanDescriptor::Request(request) => name_request(*request, attributes),
    }
}

fn shown(attribute: KeyValue) -> String {
    match attribute.value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        _ => String::new(),
    }
}

fn name_call(
    kind: CallKind,
    operation: &'static str,
    provider: &str,
    id: String,
    attributes: &mut Vec<KeyValue>,
) -> String {
    match kind {
        CallKind::Agent => name_gen_ai(gen_ai::INVOKE_AGENT, gen_ai::AGENT_NAME, &id, attributes),
        CallKind::Skill => name_gen_ai(gen_ai::EXECUTE_TOOL, gen_ai::TOOL_NAME, &id, attributes),
        CallKind::Query => {
            put_default(attributes, db::SYSTEM_NAME, db::OTHER_SQL);
            put_default(attributes, db::OPERATION_NAME, operation);
            put_default(attributes, db::QUERY_SUMMARY, &id);
            id
        }
        CallKind::Model => {
            put_default(attributes, gen_ai::PROVIDER_NAME, provider);
            name_gen_ai(operation, gen_ai::REQUEST_MODEL, &id, attributes)
        }
    }
}

fn name_gen_ai(operation: &str, key: &str, id: &str, attributes: &mut Vec<KeyValue>) -> String {
    let name = format!("{operation} {id}");
    put_default(attributes, gen_ai::OPERATION_NAME, operation);
    put_default(attributes, key, id);
    name
}

/// Adds an attribute, unless the code itself has set one of that name.
fn put_default(attributes: &mut Vec<KeyValue>, key: &str, value: &str) {
    if !attributes.iter().any(|attribute| attribute.key == key) {
        attributes.push(text(key, value));
    }
}

/// Fields of a request's span that are not exported under these names: the caller's ids, and the fields with a name in
/// the conventions.
const NAMED_OTHERWISE: [&str; 4] = ["trace_id", "span_id", "method", "endpoint"];

fn name_request(request: RequestDescriptor, attributes: &mut Vec<KeyValue>) -> String {
    let is_known = request.method != OTHER_METHOD;
    let method = if is_known { request.method } else { http::OTHER_METHOD };
    let called = if is_known { request.method } else { http::OTHER_METHOD_SPAN };
    attributes.retain(|attribute| !NAMED_OTHERWISE.contains(&&*attribute.key));
    attributes.push(text(http::REQUEST_METHOD, method));
    attributes.push(text(http::URL_PATH, request.path));
    attributes.push(text(http::URL_SCHEME, request.scheme));
    match request.route {
        None => called.to_owned(),
        Some(route) => {
            let name = format!("{called} {route}");
            attributes.push(text(http::ROUTE, route));
            name
        }
    }
}
