//! The answers other than those asked for, as JSON with the reason.

use ::http::header::{ALLOW, WWW_AUTHENTICATE};
use ::http::{HeaderValue, Response, StatusCode};
use bytes::Bytes;

use crate::json;
use crate::monitor::endpoints::answer;

/// A status and its reason.
#[derive(Debug)]
pub(in crate::monitor) struct Refusal {
    pub(super) status: StatusCode,
    reason: String,
    /// Of a method that is not allowed, those that are.
    allowed: Option<&'static str>,
}

impl Refusal {
    pub(in crate::monitor) fn new(status: StatusCode, reason: &str) -> Self {
        Self { status, reason: reason.to_owned(), allowed: None }
    }

    /// 405: the route has other methods.
    pub(in crate::monitor) fn method(reason: &str, allowed: &'static str) -> Self {
        Self { allowed: Some(allowed), ..Self::new(StatusCode::METHOD_NOT_ALLOWED, reason) }
    }

    /// 400: a parameter cannot be read.
    pub(in crate::monitor) fn bad(reason: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, reason)
    }

    pub(in crate::monitor) fn into_response(self) -> Response<Bytes> {
        let mut body = b"{\"error\":".to_vec();
        json::write_str(&mut body, &self.reason);
        body.push(b'}');
        let mut response = answer::json(self.status, body.into());
        if let Some(methods) = self.allowed {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
