//! A connection to a collector: through a proxy or not, with TLS or not.

use std::io;
use std::pin::Pin;

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::otlp::choices::OtlpProtocol;
use crate::otlp::proxy::{Proxy, bare};
use crate::otlp::target::{Target, port};

/// A stream of bytes: TCP, TLS or a tunnel.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send {}

impl<T: AsyncRead + AsyncWrite + Send> Stream for T {}

/// A stream in the form that hyper takes.
pub(super) type Connection = TokioIo<Pin<Box<dyn Stream>>>;

/// Connects to the target, or to the proxy that requests are sent to instead.
pub(super) async fn connect(target: &Target) -> io::Result<Connection> {
    let host = bare(target.uri.host().unwrap_or_default());
    let port = port(&target.uri);
    let stream: Pin<Box<dyn Stream>> = match &target.proxy {
        None => Box::pin(tcp(host, port).await?),
        Some(proxy) if is_forwarded(target) => Box::pin(tcp(&proxy.host, proxy.port).await?),
        Some(proxy) => Box::pin(tunnel(proxy, target).await?),
    };
    Ok(TokioIo::new(secured(target, host, stream).await?))
}

/// Whether the proxy receives the requests themselves: HTTP without TLS. All else goes through a tunnel.
pub(super) fn is_forwarded(target: &Target) -> bool {
    target.proxy.is_some() && target.tls.is_none() && target.protocol == OtlpProtocol::HttpProtobuf
}

async fn tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Asks the proxy for a connection to the target.
async fn tunnel(proxy: &Proxy, target: &Target) -> io::Result<impl Stream + use<>> {
    let host = target.uri.host().unwrap_or_default();
    let place = format!("{host}:{}", port(&target.uri));
    let stream = tcp(&proxy.host, proxy.port).await?;
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(io::Error::other)?;
    tokio::spawn(connection.with_upgrades());
    let mut request =
        Request::builder().method(Method::CONNECT).uri(place.as_str()).header(header::HOST, place.as_str());
    if let Some(authorization) = &proxy.authorization {
        request = request.header(header::PROXY_AUTHORIZATION, authorization);
    }
    let request = request.body(Empty::<Bytes>::new()).map_err(io::Error::other)?;
    let answer = sender.send_request(request).await.map_err(io::Error::other)?;
    if !answer.status().is_success() {
        return Err(io::Error::other(format!("the proxy answered {}", answer.status().as_u16())));
    }
    Ok(TokioIo::new(hyper::upgrade::on(answer).await.map_err(io::Error::other)?))
}

#[cfg(not(feature = "otlp-tls"))]
#[expect(clippy::unused_async, reason = "as with TLS")]
async fn secured(
    _target: &Target,
    _host: &str,
    stream: Pin<Box<dyn Stream>>,
) -> io::Result<Pin<Box<dyn Stream>>> {
    Ok(stream)
}

#[cfg(feature = "otlp-tls")]
async fn secured(
    target: &Target,
    host: &str,
    stream: Pin<Box<dyn Stream>>,
) -> io::Result<Pin<Box<dyn Stream>>> {
    use tokio_rustls::TlsConnector;
    use tokio_rustls::rustls::pki_types::ServerName;

    let Some(tls) = &target.tls else { return Ok(stream) };
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let stream = TlsConnector::from(tls.0.clone()).connect(name, stream).await?;
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    if target.protocol == OtlpProtocol::Grpc && !is_http2 {
        return Err(io::Error::other("it does not offer HTTP/2, which gRPC needs"));
    }
    Ok(Box::pin(stream))
}
