//! The OTLP resource: attributes of the process.

use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_sdk::trace::{IdGenerator as _, RandomIdGenerator};

use super::attributes::text;
use super::error::OtlpError;
use super::semconv::resource as names;
use super::semconv::{GEN_AI_VERSION, own};
use super::variables::Variables;

/// Reads the resource. For each name the last source wins: detected values, the code, `OTEL_RESOURCE_ATTRIBUTES`,
/// `OTEL_SERVICE_NAME`.
pub(super) fn read(
    variables: &Variables<'_>,
    service: Option<&(String, String)>,
    attributes: &[(String, String)],
) -> Result<Resource, OtlpError> {
    let mut pairs = vec![
        (names::SDK_NAME.to_owned(), "monitor-runtime".to_owned()),
        (names::SDK_LANGUAGE.to_owned(), "rust".to_owned()),
        (names::SDK_VERSION.to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        (names::SERVICE_NAME.to_owned(), unknown_service()),
        (names::SERVICE_INSTANCE.to_owned(), instance()),
    ];
    if let Some((name, version)) = service {
        pairs.push((names::SERVICE_NAME.to_owned(), name.clone()));
        pairs.push((names::SERVICE_VERSION.to_owned(), version.clone()));
    }
    pairs.extend_from_slice(attributes);
    pairs.extend(variables.pairs("OTEL_RESOURCE_ATTRIBUTES")?);
    pairs.extend(variables.get("OTEL_SERVICE_NAME").map(|name| (names::SERVICE_NAME.to_owned(), name)));
    Ok(Resource { attributes: last_of_each(pairs), ..Resource::default() })
}

fn last_of_each(pairs: Vec<(String, String)>) -> Vec<KeyValue> {
    let mut attributes = Vec::<KeyValue>::new();
    for (key, value) in pairs {
        attributes.retain(|attribute| attribute.key != key);
        attributes.push(text(key, value));
    }
    attributes
}

/// OpenTelemetry's name for a service without one.
fn unknown_service() -> String {
    let program = std::env::current_exe().ok();
    let name = program.as_deref().and_then(|path| path.file_name()).map(|name| name.to_string_lossy());
    name.map_or_else(|| "unknown_service".to_owned(), |name| format!("unknown_service:{name}"))
}

/// A random UUID, so that the numbers of two processes of a service are never merged.
fn instance() -> String {
    let random = u128::from_be_bytes(RandomIdGenerator::default().new_trace_id().to_bytes());
    let version_4 = random & !(0xf_u128 << 76) | (0x4_u128 << 76);
    let digits = format!("{:032x}", version_4 & !(0x3_u128 << 62) | (0x2_u128 << 62));
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

/// The instrumentation scope of all spans and metrics: this crate.
pub(super) fn scope() -> InstrumentationScope {
    let (name, version) = ("monitor-runtime".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    InstrumentationScope { name, version, ..InstrumentationScope::default() }
}

/// The scope of the spans and metrics that the conventions for generative AI name, with their release.
pub(super) fn gen_ai_scope() -> InstrumentationScope {
    let attributes = vec![text(own::GEN_AI_CONVENTIONS, GEN_AI_VERSION)];
    InstrumentationScope { attributes, ..scope() }
}
