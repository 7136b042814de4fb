//! Passes the answers of another instance on to a browser.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use ::http::header::{ACCEPT, CONTENT_TYPE};
use ::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use super::Fleet;
use super::client::{self, Answer, Ask, Fault};

/// How long an instance may take for the head of an answer that is passed on, and for the next bytes of it.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long a stream may be silent: an instance sends an event a second.
const SILENCE: Duration = Duration::from_secs(5);

/// The longest answer that is passed on, in bytes. A run with contents or 2,000 log lines may have several million.
const MOST_BYTES: u64 = 32 << 20;

/// The header of a client whose stream broke off:
/// <https://html.spec.whatwg.org/multipage/server-sent-events.html#the-last-event-id-header>.
pub(in crate::monitor) const LAST_EVENT_ID: &str = "last-event-id";

/// The headers of a client that an instance gets.
static PASSED: [HeaderName; 2] = [ACCEPT, HeaderName::from_static(LAST_EVENT_ID)];

/// The types of answers of the API. A browser runs none of them.
const TYPES: [&str; 3] = ["application/json", "text/plain", "text/event-stream"];

/// An answer to pass on.
pub(in crate::monitor) enum Passed {
    Whole(StatusCode, HeaderValue, Whole),
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
        let passed = PASSED.iter().filter_map(|name| Some((name.clone(), headers.get(name)?.clone())));
        let authorization = self.authorization.clone();
        let headers = passed.collect();
        let ask = Ask { address, method: method.clone(), target: &target, headers, authorization };
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
        match Whole::new(answer) {
            Ok(whole) => Passed::Whole(head.status, form, whole),
            Err(_) => Passed::Refused(Cut::Long.to_string()),
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

/// An answer of another instance, as the body of ours: nothing of it is kept. A client sees that it is cut by its length or
/// its last chunk, which is missing.
pub(in crate::monitor) struct Whole {
    answer: Answer,
    silence: Silence,
    left: u64,
}

/// Why an answer is not passed on to its end.
#[derive(Debug, thiserror::Error)]
pub(in crate::monitor) enum Cut {
    #[error("it answers with more than {MOST_BYTES} bytes")]
    Long,
    #[error("the instance sent nothing for {0:?}")]
    Silent(Duration),
    #[error("the answer broke off")]
    Broken(#[source] hyper::Error),
}

impl Whole {
    /// Fails if the answer says that it is too long.
    fn new(answer: Answer) -> Result<Self, Cut> {
        if answer.size_hint().lower() > MOST_BYTES {
            return Err(Cut::Long);
        }
        Ok(Self { answer, silence: Silence::new(PATIENCE), left: MOST_BYTES })
    }
}

impl http_body::Body for Whole {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let this = &mut *self;
        match this.silence.poll(&mut this.answer, cx) {
            Poll::Ready(Some(Ok(frame))) => {
                let length = frame.data_ref().map_or(0, Bytes::len) as u64;
                let Some(left) = this.left.checked_sub(length) else {
                    return Poll::Ready(Some(Err(Cut::Long)));
                };
                this.left = left;
                Poll::Ready(Some(Ok(frame)))
            }
            other => other,
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.answer.size_hint()
    }
}

/// The events of another instance, as the body of an answer. It ends when either side ends, or the instance falls silent.
pub(in crate::monitor) struct Passing {
    answer: Answer,
    silence: Silence,
}

impl Passing {
    fn new(answer: Answer) -> Self {
        Self { answer, silence: Silence::new(SILENCE) }
    }

    /// The next bytes; `None` at the end.
    pub(in crate::monitor) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        // A page asks again after an end.
        self.silence.poll(&mut self.answer, cx).map(|frame| frame.and_then(Result::ok).map(Ok))
    }
}

/// Ends the wait for an instance that sends nothing. The time in which the client takes nothing is not counted.
struct Silence {
    most: Duration,
    /// The deadline of the current wait.
    waits: Option<Pin<Box<Sleep>>>,
}

impl Silence {
    fn new(most: Duration) -> Self {
        Self { most, waits: None }
    }

    fn poll(&mut self, answer: &mut Answer, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if let Poll::Ready(frame) = Pin::new(answer).poll_frame(cx) {
            self.waits = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Cut::Broken)));
        }
        let most = self.most;
        let waits = self.waits.get_or_insert_with(|| Box::pin(sleep(most)));
        waits.as_mut().poll(cx).map(|()| Some(Err(Cut::Silent(most))))
    }
}
