//! OTLP over HTTP/1.1 with protobuf.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};

use super::connection::{connect, is_forwarded};
use super::{add, told, unavailable};
use crate::otlp::answer::{self, Answer};
use crate::otlp::signal::Signal;
use crate::otlp::target::Target;

/// The maximum number of bytes read of an answer.
const ANSWER_BYTES: usize = 64 * 1_024;

pub(super) const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("monitor-runtime/", env!("CARGO_PKG_VERSION")));

/// A client, with its connection if there is one.
#[derive(Debug)]
pub(super) struct Http {
    signal: Signal,
    target: Target,
    /// The target in the request line: a path, or the whole address for a proxy.
    line: Uri,
    headers: HeaderMap,
    connection: Option<SendRequest<Full<Bytes>>>,
}

impl Http {
    pub(super) fn new(signal: Signal, target: &Target) -> Self {
        let line = if is_forwarded(target) { target.uri.clone() } else { path(&target.uri) };
        Self { signal, headers: headers(target), line, target: target.clone(), connection: None }
    }

    pub(super) fn prepare(&self, message: Vec<u8>) -> Bytes {
        if self.target.is_gzipped { gzipped(&message) } else { message.into() }
    }

    pub(super) fn disconnect(&mut self) {
        self.connection = None;
    }

    pub(super) async fn ask(&mut self, message: &Bytes) -> Answer {
        let kept = self.connection.take().filter(|kept| !kept.is_closed());
        if let Some(kept) = kept {
            // If the collector has closed the connection, an unsent request is sent over a new one.
            match self.send(kept, message).await {
                Err(error) if error.is_canceled() || error.is_closed() => {}
                answered => return self.judge(answered),
            }
        }
        let connection = match connect(&self.target).await {
            Ok(connection) => connection,
            Err(error) => return unavailable(told(&error)),
        };
        let sender = match http1::handshake(connection).await {
            Ok((sender, connection)) => {
                tokio::spawn(connection);
                sender
            }
            Err(error) => return unavailable(told(&error)),
        };
        let answered = self.send(sender, message).await;
        self.judge(answered)
    }

    /// Sends one request, and keeps the connection if it can be used again.
    async fn send(
        &mut self,
        mut sender: SendRequest<Full<Bytes>>,
        message: &Bytes,
    ) -> hyper::Result<(StatusCode, HeaderMap, Bytes)> {
        sender.ready().await?;
        let mut request =
            Request::post(self.line.clone()).body(Full::new(message.clone())).unwrap_or_default();
        *request.headers_mut() = self.headers.clone();
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = read(body).await;
        self.connection = Some(sender);
        Ok((head.status, head.headers, body))
    }

    fn judge(&self, answered: hyper::Result<(StatusCode, HeaderMap, Bytes)>) -> Answer {
        match answered {
            Err(error) => unavailable(told(&error)),
            Ok((status, headers, body)) => {
                let header = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
                let retry_after =
                    header(header::RETRY_AFTER).and_then(|after| answer::rest(after, header(header::DATE)));
                Answer::of(self.signal, status.as_u16(), retry_after, &body)
            }
        }
    }
}

/// Reads the body; one that is too long or incomplete counts as empty.
async fn read(body: Incoming) -> Bytes {
    let body = Limited::new(body, ANSWER_BYTES).collect().await;
    body.map(http_body_util::Collected::to_bytes).unwrap_or_default()
}

fn path(uri: &Uri) -> Uri {
    let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    path.parse().unwrap_or_default()
}

fn headers(target: &Target) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Some(host) = target.uri.authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok()) {
        headers.insert(header::HOST, host);
    }
    headers.insert(header::USER_AGENT, USER_AGENT);
    if let Some(proxy) = target.proxy.as_ref().filter(|_| is_forwarded(target)) {
        headers.extend(proxy.authorization.clone().map(|value| (header::PROXY_AUTHORIZATION, value)));
    }
    add(&mut headers, &target.headers);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
    if target.is_gzipped {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    headers
}

fn gzipped(message: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(message.len() / 4), Compression::fast());
    // Writing to memory does not fail.
    let _ = encoder.write_all(message);
    encoder.finish().unwrap_or_default().into()
}
