//! Asks another instance over a connection of its own.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use ::http::header::{AUTHORIZATION, CONNECTION, HOST};
use ::http::{HeaderMap, HeaderValue, Method, Request, Response};
use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// The bytes of the head of an answer at most.
const MOST_HEAD: usize = 32 << 10;

/// A request to an instance.
pub(super) struct Ask<'a> {
    pub(super) address: SocketAddr,
    pub(super) method: Method,
    /// The path and the query.
    pub(super) target: &'a str,
    /// Further headers.
    pub(super) headers: HeaderMap,
    pub(super) authorization: Option<HeaderValue>,
}

/// The reason why an instance gave no answer.
#[derive(Debug)]
pub(super) enum Fault {
    /// It did not answer in time, or the connection failed.
    Silent(String),
    /// It sent something other than an answer.
    Unreadable(String),
}

/// A host as a URL has it, which the guard of an instance accepts.
pub(in crate::monitor) fn authority(address: SocketAddr) -> String {
    // The display of an address of the sixth version may have a scope, which is of this machine only.
    match address {
        SocketAddr::V4(address) => address.to_string(),
        SocketAddr::V6(address) => format!("[{}]:{}", address.ip(), address.port()),
    }
}

/// Sends a request, and returns the answer once its head has come.
pub(super) async fn send(ask: Ask<'_>, patience: Duration) -> Result<Response<Answer>, Fault> {
    let late = |_| Fault::Silent(format!("no answer within {patience:?}"));
    timeout(patience, sent(ask)).await.map_err(late)?
}

async fn sent(ask: Ask<'_>) -> Result<Response<Answer>, Fault> {
    let failed = |error: io::Error| Fault::Silent(format!("the connection failed: {error}"));
    let stream = TcpStream::connect(ask.address).await.map_err(failed)?;
    let mut builder = http1::Builder::new();
    builder.max_buf_size(MOST_HEAD);
    let (mut sender, connection) =
        builder.handshake(TokioIo::new(stream)).await.map_err(|error| fault(&error))?;
    let connection = Connection(tokio::spawn(async move {
        // Its error is that of the answer too.
        let _ = connection.await;
    }));
    let mut request = Request::new(Body::empty());
    *request.method_mut() = ask.method;
    *request.uri_mut() = ask.target.parse().map_err(|_| Fault::Unreadable("the path is none".to_owned()))?;
    let headers = request.headers_mut();
    let host = HeaderValue::try_from(authority(ask.address));
    headers.insert(HOST, host.map_err(|_| Fault::Unreadable("the address is no host".to_owned()))?);
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    headers.extend(ask.headers);
    headers.extend(ask.authorization.map(|value| (AUTHORIZATION, value)));
    let response = sender.send_request(request).await.map_err(|error| fault(&error))?;
    Ok(response.map(|incoming| Answer { incoming, _connection: connection }))
}

fn fault(error: &hyper::Error) -> Fault {
    if error.is_parse() || error.is_parse_too_large() {
        return Fault::Unreadable(format!("it does not speak HTTP: {error}"));
    }
    Fault::Silent(format!("the connection failed: {error}"))
}

/// The body of an answer. Dropping it closes the connection.
pub(super) struct Answer {
    incoming: Incoming,
    _connection: Connection,
}

/// The task that moves the bytes of a connection.
struct Connection(JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Answer {
    /// Reads all of it, if it has at most this many bytes.
    pub(super) async fn read(mut self, most: usize) -> Result<Vec<u8>, Fault> {
        let mut read = Vec::new();
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut self).poll_frame(cx)).await {
            let frame = frame.map_err(|error| Fault::Silent(format!("the answer broke off: {error}")))?;
            let Ok(data) = frame.into_data() else { continue };
            if read.len() + data.len() > most {
                return Err(Fault::Unreadable(format!("it answers with more than {most} bytes")));
            }
            read.extend_from_slice(&data);
        }
        Ok(read)
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Pin::new(&mut self.incoming).poll_frame(cx)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
