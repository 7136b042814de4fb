//! Requests to the endpoint of a language model, each on a connection of its own.

use std::env;
use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::address::Address;

/// The time in which a connection has to be there.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// The longest time without a byte. A question has a limit of its own.
pub(super) const SILENCE_LIMIT: Duration = Duration::from_mins(1);

/// The size limit of a body that is no stream.
const LONGEST_BODY: usize = 1024 * 1024;

/// The length limit of an error's text.
const LONGEST_REASON: usize = 200;

type BoxError = Box<dyn Error + Send + Sync>;

/// The reason why a language model gives no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ModelError {
    #[error("the language model at {at} cannot be reached")]
    Unreachable {
        at: Box<str>,
        #[source]
        source: BoxError,
    },
    #[error("the language model at {at} answers {status}: {reason}")]
    Refused { at: Box<str>, status: StatusCode, reason: Box<str> },
    #[error("the language model at {at} answers nonsense: {reason}")]
    Nonsense { at: Box<str>, reason: Box<str> },
    #[error("the language model at {at} breaks off")]
    BrokenOff {
        at: Box<str>,
        #[source]
        source: BoxError,
    },
    #[error("the language model at {at} has been silent for {SILENCE_LIMIT:?}")]
    Silent { at: Box<str> },
}

/// The body of a reply, with the address for its errors.
#[derive(Debug)]
pub(super) struct Body {
    at: Box<str>,
    incoming: Incoming,
}

/// The way to the endpoint.
pub(super) struct Connection {
    address: Address,
    at: Box<str>,
    /// The value of the header that names the caller, which no error and no line shows.
    authorization: Option<String>,
    tls: Option<TlsConnector>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("at", &self.at).finish_non_exhaustive()
    }
}

/// A connection, encrypted or not.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Connection {
    /// Takes the key from the environment.
    pub(super) fn to(address: &Address) -> Result<Self, ModelError> {
        let at = address.to_string().into_boxed_str();
        let key = env::var("OPENAI_API_KEY").ok().filter(|key| !key.is_empty());
        let unreachable = |source| ModelError::Unreachable { at: at.clone(), source };
        let tls = if address.is_encrypted { Some(tls().map_err(unreachable)?) } else { None };
        let authorization = key.map(|key| format!("Bearer {key}"));
        Ok(Self { address: address.clone(), at, authorization, tls })
    }

    /// The error of an answer that makes no sense.
    pub(super) fn nonsense(&self, reason: &str) -> ModelError {
        nonsense(&self.at, reason)
    }

    /// Requests a JSON document.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ModelError> {
        let response = self.send(Method::GET, path, Bytes::new()).await?;
        let body = self.read(response.into_body()).await?;
        serde_json::from_slice(&body).map_err(|_| self.nonsense(&format!("{path} is no JSON")))
    }

    /// Sends a JSON document, and returns the stream of events that answers it.
    pub(super) async fn post(&self, path: &str, document: &Value) -> Result<Body, ModelError> {
        let response = self.send(Method::POST, path, document.to_string().into()).await?;
        let content_type = response.headers().get(header::CONTENT_TYPE).map(header::HeaderValue::as_bytes);
        if !content_type.is_some_and(|kind| kind.starts_with(b"text/event-stream")) {
            return Err(self.nonsense("expected a stream of events"));
        }
        Ok(Body { at: self.at.clone(), incoming: response.into_body() })
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<Response<Incoming>, ModelError> {
        let unreachable = |source| ModelError::Unreachable { at: self.at.clone(), source };
        let stream = match timeout(CONNECT_LIMIT, self.connect()).await {
            Ok(connected) => connected.map_err(|error| unreachable(error.into()))?,
            Err(elapsed) => return Err(unreachable(elapsed.into())),
        };
        let broken_off = |source: hyper::Error| broken_off(&self.at, source);
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken_off)?;
        // It ends with the body of the response, or with the sender.
        tokio::spawn(connection);
        let Address { host, port, path: base, .. } = &self.address;
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{base}{path}"))
            .header(header::HOST, format!("{host}:{port}"))
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let request = request.body(Full::new(body)).map_err(|error| unreachable(error.into()))?;
        let response = timeout(SILENCE_LIMIT, sender.send_request(request)).await;
        let response = response.map_err(|_| self.silent())?.map_err(broken_off)?;
        if response.status().is_success() { Ok(response) } else { Err(self.refused(response).await) }
    }

    async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let Address { host, port, .. } = &self.address;
        let host = host.trim_matches(['[', ']']);
        let stream = TcpStream::connect((host, *port)).await?;
        let Some(tls) = &self.tls else { return Ok(Box::new(stream)) };
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        Ok(Box::new(tls.connect(name, stream).await?))
    }

    async fn refused(&self, response: Response<Incoming>) -> ModelError {
        let status = response.status();
        let body = match self.read(response.into_body()).await {
            Ok(body) => String::from_utf8_lossy(&body).into_owned(),
            Err(error) => return error,
        };
        let said = serde_json::from_str::<Value>(&body).ok();
        let reason = said.as_ref().and_then(|said| said["error"]["message"].as_str()).unwrap_or(&body);
        ModelError::Refused { at: self.at.clone(), status, reason: shortened(reason) }
    }

    async fn read(&self, body: Incoming) -> Result<Bytes, ModelError> {
        let body = timeout(SILENCE_LIMIT, Limited::new(body, LONGEST_BODY).collect()).await;
        let body = body.map_err(|_| self.silent())?;
        let broken_off = |source| ModelError::BrokenOff { at: self.at.clone(), source };
        Ok(body.map_err(broken_off)?.to_bytes())
    }

    fn silent(&self) -> ModelError {
        ModelError::Silent { at: self.at.clone() }
    }
}

impl Body {
    /// The next bytes; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, ModelError> {
        loop {
            let frame = timeout(SILENCE_LIMIT, self.incoming.frame()).await;
            match frame.map_err(|_| ModelError::Silent { at: self.at.clone() })? {
                None => return Ok(None),
                Some(Err(error)) => return Err(broken_off(&self.at, error)),
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(Some(bytes));
                    }
                }
            }
        }
    }

    pub(super) fn nonsense(&self, reason: &str) -> ModelError {
        nonsense(&self.at, reason)
    }

    /// The error of a stream that ends before its answer does.
    pub(super) fn ends_early(&self) -> ModelError {
        ModelError::BrokenOff { at: self.at.clone(), source: "the stream ends before the answer does".into() }
    }
}

fn nonsense(at: &str, reason: &str) -> ModelError {
    ModelError::Nonsense { at: at.into(), reason: shortened(reason) }
}

fn broken_off(at: &str, source: hyper::Error) -> ModelError {
    ModelError::BrokenOff { at: at.into(), source: source.into() }
}

fn shortened(text: &str) -> Box<str> {
    text.trim().chars().take(LONGEST_REASON).collect::<String>().into_boxed_str()
}

/// Trusts the certificates that the machine trusts.
fn tls() -> Result<TlsConnector, BoxError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth())))
}
