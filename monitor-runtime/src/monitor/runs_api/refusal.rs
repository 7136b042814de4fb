//! The answers other than those asked for, as JSON with the reason.

use ::http::header::WWW_AUTHENTICATE;
use ::http::{HeaderValue, Response, StatusCode};
use bytes::Bytes;

use crate::json;
use crate::monitor::endpoints::answer;

/// A status and its reason.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    reason: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, reason: &str) -> Self {
        Self { status, reason: reason.to_owned() }
    }

    /// 400: a parameter cannot be read.
    pub(super) fn bad(reason: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, reason)
    }

    pub(super) fn into_response(self) -> Response<Bytes> {
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            return answer::method_not_allowed();
        }
        let mut body = b"{\"error\":".to_vec();
        json::write_str(&mut body, &self.reason);
        body.push(b'}');
        let mut response = answer::json(self.status, body.into());
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
