//! The id that names a request in its logs, in its handlers and on its response.

use std::convert::Infallible;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::response::IntoResponse;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use uuid::fmt::Hyphenated;

use crate::error_chain::debug_as_text;

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The maximum length of an id that is accepted from a client, in bytes.
const MAX_LEN: usize = 128;

/// The id of a request, which [`HttpLayer`](super::HttpLayer) accepted from the header `x-request-id` or made.
///
/// An id is accepted if it has 1 to 128 bytes of printable ASCII (space to `~`) and no space at either end, so that it
/// is safe in a log line, a header and a shell. Of several headers, only the first is read. Anything else is replaced
/// by a new UUID of version 7, which sorts by time. Ids are names, not secrets: a client may choose any, and they can
/// be guessed.
///
/// In an axum handler it is an extractor. Elsewhere it is in the request's extensions:
///
/// ```
/// use monitor_runtime::http::RequestId;
///
/// async fn handler(id: RequestId) -> String {
///     format!("quote {id} when you ask for help")
/// }
///
/// fn elsewhere(request: &http::Request<()>) -> Option<&str> {
///     request.extensions().get::<RequestId>().map(RequestId::as_str)
/// }
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// Returns the id as text: printable ASCII, 1 to 128 bytes.
    pub fn as_str(&self) -> &str {
        // Every id is checked or made as printable ASCII, so this does not fail.
        self.0.to_str().unwrap_or_default()
    }

    /// Decides the request's id, and puts it into the extensions.
    pub(super) fn assign<B>(request: &mut Request<B>) -> Self {
        let id = Self::accept(request.headers()).unwrap_or_else(Self::generate);
        request.extensions_mut().insert(id.clone());
        id
    }

    /// Sets the id on the response. It replaces an id that the handler set, so that the client reads the id of the log
    /// lines.
    pub(super) fn set_on<B>(self, response: &mut Response<B>) {
        response.headers_mut().insert(&X_REQUEST_ID, self.0);
    }

    fn accept(headers: &HeaderMap) -> Option<Self> {
        headers.get(&X_REQUEST_ID).filter(|value| is_acceptable(value.as_bytes())).cloned().map(Self)
    }

    fn generate() -> Self {
        let [random @ .., _, _, _, _, _, _] = fastrand::u128(..).to_ne_bytes();
        let uuid = uuid::Builder::from_unix_timestamp_millis(unix_millis(), &random).into_uuid();
        let mut text = [0; Hyphenated::LENGTH];
        uuid.hyphenated().encode_lower(&mut text);
        // The handler's id and the response's share one allocation, which also holds their count.
        let value = HeaderValue::from_maybe_shared(Bytes::from_owner(text));
        Self(value.unwrap_or_else(|_| unreachable!("hexadecimal digits and hyphens are legal in a header")))
    }
}

/// Returns the milliseconds since 1970. A clock set before 1970 gives 0: such ids sort first.
fn unix_millis() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or_default()
}

/// Returns the id that a request with this header gets from its client, if it is acceptable.
#[cfg(feature = "__fuzzing")]
pub(crate) fn accepted_id(header: HeaderValue) -> Option<RequestId> {
    RequestId::accept(&HeaderMap::from_iter([(X_REQUEST_ID.clone(), header)]))
}

fn is_acceptable(id: &[u8]) -> bool {
    let printable = id.iter().all(|byte| (b' '..=b'~').contains(byte));
    printable && id.len() <= MAX_LEN && id == id.trim_ascii() && !id.is_empty()
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RequestId").field(&self.as_str()).finish()
    }
}

impl AsRef<str> for RequestId {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

/// Converts the id to a header, for the requests that a handler sends to other services.
impl From<RequestId> for HeaderValue {
    fn from(id: RequestId) -> Self {
        id.0
    }
}

impl<S: Send + Sync> FromRequestParts<S> for RequestId {
    type Rejection = MissingRequestId;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        parts.extensions.get().cloned().ok_or(MissingRequestId)
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for RequestId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Self::Rejection> {
        Ok(parts.extensions.get().cloned())
    }
}

/// The rejection of a [`RequestId`] extractor: no [`HttpLayer`](super::HttpLayer) has set an id.
///
/// The request passed no layer or a [metrics-only](super::HttpLayer::metrics_only) one, or is a probe. The response is
/// 500 with the message as its text.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request has no id: put `HttpLayer::new()` around this route, or extract `Option<RequestId>`")]
#[non_exhaustive]
pub struct MissingRequestId;

debug_as_text!(MissingRequestId);

impl IntoResponse for MissingRequestId {
    fn into_response(self) -> axum::response::Response {
        (StatusCode::INTERNAL_SERVER_ERROR, self.to_string()).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_printable_ascii_up_to_128_bytes_are_taken() {
        let longest = "x".repeat(MAX_LEN);
        for id in ["a", "0190-af", "two words", "~!\"\\{}", &longest] {
            assert!(is_acceptable(id.as_bytes()), "{id:?}");
        }
    }

    #[test]
    fn anything_else_is_not_taken() {
        let long = "x".repeat(MAX_LEN + 1);
        for id in ["", " ", " a", "a ", "a\tb", "a\nb", "\u{7f}", "ä", &long] {
            assert!(!is_acceptable(id.as_bytes()), "{id:?}");
        }
    }

    #[test]
    fn made_ids_are_uuids_of_version_7_and_differ() {
        let (first, second) = (RequestId::generate(), RequestId::generate());
        assert_ne!(first, second);
        let parsed = uuid::Uuid::parse_str(first.as_str()).unwrap();
        assert_eq!(parsed.get_version_num(), 7);
        assert_eq!(parsed.get_variant(), uuid::Variant::RFC4122);
        assert_eq!(first.to_string(), parsed.to_string());
    }

    #[test]
    fn made_ids_carry_the_time_at_which_they_are_made() {
        let system = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        let (before, made, after) = (system(), RequestId::generate(), system());
        let (seconds, nanos) =
            uuid::Uuid::parse_str(made.as_str()).unwrap().get_timestamp().unwrap().to_unix();
        let millis = u128::from(seconds) * 1_000 + u128::from(nanos) / 1_000_000;
        assert!((before..=after).contains(&millis), "{before} {millis} {after}");
    }
}
