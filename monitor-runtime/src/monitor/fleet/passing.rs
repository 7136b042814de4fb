//! Passes the answers of another instance on to a browser.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use ::http::header::{ACCEPT, CONTENT_TYPE};
use ::http::{HeaderMap, HeaderValue, Method, StatusCode};
use bytes::Bytes;
use http_body::{Body as _, Frame};
use tokio::time::{Instant, Sleep, sleep, timeout};

use super::Fleet;
use super::client::{self, Answer, Ask, Fault};

/// How long an instance may take for an answer that is passed on.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long a stream may be silent: an instance sends an event a second.
const SILENCE: Duration = Duration::from_secs(5);

/// The longest answer that is passed on, in bytes. A run with contents or 2,000 log lines may have several million.
const MOST_BYTES: usize = 32 << 20;

/// The types of answers of the API. A browser runs none of them.
const TYPES: [&str; 3] = ["application/json", "text/plain", "text/event-stream"];

/// An answer to pass on.
pub(in crate::monitor) enum Passed {
    Whole(StatusCode, HeaderValue, Vec<u8>),
    Stream(Passing),
    /// The instance answers, but not as this API does.
    Refused(String),
    Silent(String),
}

impl Fleet {
    /// Asks an instance for a part of its API.
    pub(in crate::monitor) async fn pass(
        &self,
        address: SocketAddr,
        method: &Method,
        target: &str,
        headers: &HeaderMap,
    ) -> Passed {
        let target = format!("{}/{target}", self.root);
        let accept = headers.get(ACCEPT).cloned();
        let authorization = self.authorization.clone();
        let ask = Ask { address, method: method.clone(), target: &target, accept, authorization };
        let deadline = Instant::now() + PATIENCE;
        let response = match client::send(ask, PATIENCE).await {
            Ok(response) => response,
            Err(fault) => return fault.into(),
        };
        let (head, answer) = response.into_parts();
        if let Some(reason) = refusal(head.status, &head.headers) {
            return Passed::Refused(reason);
        }
        let form = head.headers.get(CONTENT_TYPE).cloned().unwrap_or(HeaderValue::from_static(TYPES[0]));
        if form.as_bytes().starts_with(TYPES[2].as_bytes()) {
            return Passed::Stream(Passing::new(answer));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        match timeout(left, answer.read(MOST_BYTES)).await {
            Ok(Ok(body)) => Passed::Whole(head.status, form, body),
            Ok(Err(fault)) => fault.into(),
            Err(_) => Passed::Silent(format!("no whole answer within {PATIENCE:?}")),
        }
    }
}

impl From<Fault> for Passed {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Silent(reason) => Self::Silent(reason),
            Fault::Unreadable(reason) => Self::Refused(reason),
        }
    }
}

/// The reason not to pass an answer on. A browser would take a 401 for one of this process.
fn refusal(status: StatusCode, headers: &HeaderMap) -> Option<String> {
    let is_passed = matches!(
        status,
        StatusCode::OK | StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND | StatusCode::SERVICE_UNAVAILABLE
    );
    let form = headers.get(CONTENT_TYPE).and_then(|form| form.to_str().ok()).unwrap_or_default();
    let media_type = form.split(';').next().unwrap_or_default().trim();
    if !is_passed {
        Some(format!("it answers with status {}", status.as_u16()))
    } else if !TYPES.contains(&media_type) {
        Some("it answers with something else than JSON".to_owned())
    } else {
        None
    }
}

/// The events of another instance, as the body of an answer. It ends when either side ends, or the instance falls silent.
pub(in crate::monitor) struct Passing {
    answer: Answer,
    silence: Pin<Box<Sleep>>,
}

impl Passing {
    fn new(answer: Answer) -> Self {
        Self { answer, silence: Box::pin(sleep(SILENCE)) }
    }

    /// The next bytes; `None` at the end.
    pub(in crate::monitor) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match Pin::new(&mut self.answer).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                self.silence.as_mut().reset(Instant::now() + SILENCE);
                Poll::Ready(Some(Ok(frame)))
            }
            // A page asks again after an end.
            Poll::Ready(_) => Poll::Ready(None),
            Poll::Pending => self.silence.as_mut().poll(cx).map(|()| None),
        }
    }
}
