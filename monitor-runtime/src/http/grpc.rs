//! gRPC: which call a request is, and which status its response carries.

use std::collections::HashMap;
use std::sync::Arc;

use http::{HeaderMap, Request, StatusCode, header};
use prost::Message;
use tracing::Span;

use super::endpoint::{RouteMatch, UNMATCHED};
use crate::error_chain::debug_as_text;
use crate::families::grpc::metrics;
use crate::monitor_route::is_grpc_health;

/// The header or trailer that carries the status of a call.
const GRPC_STATUS: &str = "grpc-status";

/// The span's field for it, as OpenTelemetry names it.
pub(super) const STATUS_FIELD: &str = "rpc.grpc.status_code";

/// The names of all codes, each at its number.
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

const CANCELLED: u8 = 1;
const UNKNOWN: u8 = 2;
const PERMISSION_DENIED: u8 = 7;
const UNIMPLEMENTED: u8 = 12;
const INTERNAL: u8 = 13;
const UNAVAILABLE: u8 = 14;
const UNAUTHENTICATED: u8 = 16;

/// The gRPC services of a process, with their methods.
///
/// A layer counts the calls of these methods by their names. Other calls are `unmatched`: a client chooses the path of
/// its request, and could otherwise create any number of series.
///
/// ```
/// use monitor_runtime::http::GrpcServices;
///
/// let services = GrpcServices::new().service("helloworld.Greeter", ["SayHello", "SayHelloAgain"]);
/// # drop(services);
/// ```
#[derive(Clone, Debug, Default)]
pub struct GrpcServices {
    names: Vec<Box<str>>,
    /// By path.
    methods: HashMap<Box<str>, Arc<GrpcMethod>>,
}

/// A method that is known.
#[derive(Debug)]
struct GrpcMethod {
    /// `/package.Service/Method`.
    path: Box<str>,
    service: Box<str>,
    method: Box<str>,
}

impl GrpcServices {
    /// Returns no services.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a service by its full name (`package.Service`), with the names of its methods.
    pub fn service<M: Into<String>>(
        mut self,
        name: impl Into<String>,
        methods: impl IntoIterator<Item = M>,
    ) -> Self {
        let name = name.into();
        for method in methods {
            let method = method.into();
            let path: Box<str> = format!("/{name}/{method}").into();
            let known =
                GrpcMethod { path: path.clone(), service: name.as_str().into(), method: method.into() };
            self.methods.insert(path, Arc::new(known));
        }
        self.names.push(name.into());
        self
    }

    /// Adds all services of an encoded `FileDescriptorSet`, which `tonic-prost-build` writes with
    /// `file_descriptor_set_path`, and `protoc` with `--descriptor_set_out`.
    ///
    /// # Errors
    ///
    /// Fails if the bytes are no `FileDescriptorSet`.
    pub fn descriptors(self, encoded: &[u8]) -> Result<Self, GrpcDescriptorError> {
        let files = FileDescriptorSet::decode(encoded).map_err(GrpcDescriptorError)?.file;
        let services = files.into_iter().flat_map(|file| {
            let package = file.package;
            file.service.into_iter().map(move |service| (full_name(&package, &service.name), service.method))
        });
        Ok(services.fold(self, |known, (name, methods)| {
            known.service(name, methods.into_iter().map(|method| method.name))
        }))
    }

    /// Returns the services, if there are any.
    pub(crate) fn any(self: &Arc<Self>) -> Option<Arc<Self>> {
        (!self.names.is_empty()).then(|| Arc::clone(self))
    }

    /// Returns a name that no request can have.
    pub(crate) fn invalid_name(&self) -> Option<&str> {
        let of_services = self.names.iter().map(|name| (&**name, name.split('.').all(is_identifier)));
        let of_methods = self.methods.values().map(|known| (&*known.method, is_identifier(&known.method)));
        of_services.chain(of_methods).find(|(_, is_valid)| !is_valid).map(|(name, _)| name)
    }

    /// Whether the service is one of these.
    pub(crate) fn has(&self, service: &str) -> bool {
        self.names.iter().any(|name| **name == *service)
    }

    /// Returns the call that a request is, if it is gRPC.
    fn call<B>(&self, request: &Request<B>) -> Option<GrpcCall> {
        if !is_grpc(request.headers()) {
            return None;
        }
        Some(GrpcCall { method: self.methods.get(request.uri().path()).cloned(), code: None, span: None })
    }
}

fn is_identifier(name: &str) -> bool {
    let is_first = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    is_first && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn full_name(package: &str, service: &str) -> String {
    if package.is_empty() { service.to_owned() } else { format!("{package}.{service}") }
}

/// The bytes given to [`GrpcServices::descriptors`] are no `FileDescriptorSet`.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the bytes are no encoded FileDescriptorSet; expected the file that `file_descriptor_set_path` writes"
)]
pub struct GrpcDescriptorError(#[source] prost::DecodeError);

debug_as_text!(GrpcDescriptorError);

/// The parts of `google.protobuf.FileDescriptorSet` that name methods.
#[derive(Clone, PartialEq, Message)]
struct FileDescriptorSet {
    #[prost(message, repeated, tag = "1")]
    file: Vec<FileDescriptor>,
}

#[derive(Clone, PartialEq, Message)]
struct FileDescriptor {
    #[prost(string, tag = "2")]
    package: String,
    #[prost(message, repeated, tag = "6")]
    service: Vec<ServiceDescriptor>,
}

#[derive(Clone, PartialEq, Message)]
struct ServiceDescriptor {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    method: Vec<MethodDescriptor>,
}

#[derive(Clone, PartialEq, Message)]
struct MethodDescriptor {
    #[prost(string, tag = "1")]
    name: String,
}

/// Returns the gRPC call that a request is, for a layer that knows services. Health checks are no calls.
pub(super) fn call<B>(services: Option<&Arc<GrpcServices>>, request: &Request<B>) -> Option<GrpcCall> {
    services?.call(request).filter(|_| !is_grpc_health(request.uri().path()))
}

/// Whether the content is gRPC in its own framing. That of gRPC-Web has no trailers.
fn is_grpc(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).map(http::HeaderValue::as_bytes);
    let rest = content_type.and_then(|content_type| content_type.strip_prefix(b"application/grpc"));
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

/// A call in flight.
#[derive(Debug)]
pub(super) struct GrpcCall {
    /// `None` if the service or its method is not known.
    method: Option<Arc<GrpcMethod>>,
    code: Option<u8>,
    span: Option<Span>,
}

impl GrpcCall {
    /// The route of the call: its path, if that is known.
    pub(super) fn route(&self) -> RouteMatch<'_> {
        self.method.as_ref().map_or(RouteMatch::Unmatched, |method| RouteMatch::Route(&method.path))
    }

    /// Keeps the span, which learns the status once the call ends.
    pub(super) fn set_span(&mut self, span: Option<&Span>) {
        self.span = span.cloned();
    }

    /// Reads the status from the headers of a response without a body, or from its trailers.
    pub(super) fn note_status(&mut self, headers: &HeaderMap) {
        if let Some(status) = headers.get(GRPC_STATUS) {
            let number = status.to_str().ok().and_then(|status| status.parse().ok());
            self.code = Some(number.filter(|code| usize::from(*code) < CODES.len()).unwrap_or(UNKNOWN));
        }
    }

    /// Counts the call, whose request is recorded with this HTTP status.
    pub(super) fn finish(self, client_left: bool, status: u16) {
        let code = self.code(client_left, status);
        let (service, method) =
            self.method.as_ref().map_or((UNMATCHED, UNMATCHED), |known| (&known.service, &known.method));
        metrics().count(service, method, CODES[usize::from(code)]);
        if let Some(span) = self.span {
            span.record(STATUS_FIELD, code);
        }
    }

    fn code(&self, client_left: bool, status: u16) -> u8 {
        match self.code {
            _ if client_left => CANCELLED,
            Some(sent) => sent,
            None => code_of_http(status),
        }
    }
}

/// The code that clients take for a response without a status, by the rules of gRPC for HTTP.
fn code_of_http(status: u16) -> u8 {
    match StatusCode::from_u16(status) {
        Ok(StatusCode::BAD_REQUEST) => INTERNAL,
        Ok(StatusCode::UNAUTHORIZED) => UNAUTHENTICATED,
        Ok(StatusCode::FORBIDDEN) => PERMISSION_DENIED,
        Ok(StatusCode::NOT_FOUND) => UNIMPLEMENTED,
        Ok(
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT,
        ) => UNAVAILABLE,
        _ => UNKNOWN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(content_type: &str, path: &str) -> Request<()> {
        Request::post(path).header(header::CONTENT_TYPE, content_type).body(()).unwrap()
    }

    fn known() -> Arc<GrpcServices> {
        Arc::new(GrpcServices::new().service("a.B", ["C"]))
    }

    #[test]
    fn known_methods_are_named_by_their_path_and_others_are_unmatched() {
        let known = known();
        let route = |content_type: &str, path: &str| {
            call(Some(&known), &request(content_type, path)).map(|call| format!("{:?}", call.route()))
        };
        for content_type in ["application/grpc", "application/grpc+proto", "application/grpc;x=y"] {
            assert_eq!(route(content_type, "/a.B/C").as_deref(), Some("Route(\"/a.B/C\")"));
        }
        for path in ["/a.B/D", "/a.B/", "/x/a.B/C", "/"] {
            assert_eq!(route("application/grpc", path).as_deref(), Some("Unmatched"), "{path}");
        }
        for content_type in ["application/grpc-web", "application/json", "application/grpcx"] {
            assert_eq!(route(content_type, "/a.B/C"), None, "{content_type}");
        }
        assert_eq!(route("application/grpc", "/grpc.health.v1.Health/Check"), None);
    }

    #[test]
    fn names_that_no_request_has_are_found() {
        let invalid = |service: &str, method: &str| {
            GrpcServices::new().service(service, [method]).invalid_name().map(str::to_owned)
        };
        for service in ["Bare", "a.B", "a.b_2.C"] {
            assert_eq!(invalid(service, "Ask_2"), None, "{service}");
        }
        for name in ["", "/a.B", "a..B", "a.B.", "a.2B", "a b", "ä"] {
            assert_eq!(invalid(name, "C").as_deref(), Some(name));
        }
        for name in ["", "a.B/C", "/C", "B.C", "2"] {
            assert_eq!(invalid("a.B", name).as_deref(), Some(name));
        }
    }

    #[test]
    fn services_are_read_from_descriptors() {
        let method = |name: &str| MethodDescriptor { name: name.into() };
        let service =
            |name: &str| ServiceDescriptor { name: name.into(), method: vec![method("One"), method("Two")] };
        let files = FileDescriptorSet {
            file: vec![
                FileDescriptor { package: "a.b".into(), service: vec![service("C")] },
                FileDescriptor { package: String::new(), service: vec![service("Bare")] },
            ],
        };
        let known = GrpcServices::new().descriptors(&files.encode_to_vec()).unwrap();
        assert!(known.has("a.b.C") && known.has("Bare") && !known.has("C"));
        let mut paths: Vec<_> = known.methods.keys().map(|path| &**path).collect();
        paths.sort_unstable();
        assert_eq!(paths, ["/Bare/One", "/Bare/Two", "/a.b.C/One", "/a.b.C/Two"]);
        let refused = GrpcServices::new().descriptors(b"\xff\xff").unwrap_err().to_string();
        assert!(refused.starts_with("the bytes are no encoded FileDescriptorSet"), "{refused}");
    }

    #[test]
    fn a_status_is_read_or_follows_from_http() {
        let code = |status: Option<&str>, client_left: bool, http: u16| {
            let mut call = known().call(&request("application/grpc", "/a.B/C")).unwrap();
            let status = status.map(|status| status.parse().unwrap());
            let headers = status.map(|status| (http::HeaderName::from_static(GRPC_STATUS), status));
            call.note_status(&headers.into_iter().collect());
            CODES[usize::from(call.code(client_left, http))]
        };
        assert_eq!(code(Some("0"), false, 200), "OK");
        assert_eq!(code(Some("16"), false, 200), "UNAUTHENTICATED");
        for strange in ["17", "-1", "x", ""] {
            assert_eq!(code(Some(strange), false, 200), "UNKNOWN", "{strange}");
        }
        assert_eq!(code(Some("0"), true, 499), "CANCELLED");
        assert_eq!(code(None, false, 200), "UNKNOWN");
        assert_eq!(code(None, false, 404), "UNIMPLEMENTED");
        assert_eq!(code(None, false, 503), "UNAVAILABLE");
        assert_eq!(code(None, false, 500), "UNKNOWN");
    }
}
