//! The ways into the collector: HTTP or gRPC, with TLS or not.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use http::{HeaderMap, Request};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tonic::codec::CompressionEncoding;
use tower::ServiceExt as _;

use crate::otlp::collector::Shared;

/// Listens on a free port, for `app` or for gRPC.
pub(crate) async fn open(tls: Option<ServerConfig>, app: Router, grpc: Option<Arc<Shared>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let tls = tls.map(|mut tls| {
        tls.alpn_protocols = vec![if grpc.is_some() { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
        TlsAcceptor::from(Arc::new(tls))
    });
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(stream, tls.clone(), app.clone(), grpc.clone()));
        }
    });
    address
}

async fn serve(stream: TcpStream, tls: Option<TlsAcceptor>, app: Router, grpc: Option<Arc<Shared>>) {
    match tls {
        None => answer(stream, app, grpc).await,
        // A client that does not trust it goes away.
        Some(tls) => match tls.accept(stream).await {
            Ok(stream) => answer(stream, app, grpc).await,
            Err(error) => eprintln!("no handshake: {error}"),
        },
    }
}

async fn answer<S>(stream: S, app: Router, grpc: Option<Arc<Shared>>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stream = TokioIo::new(stream);
    // How a connection ends is the client's affair.
    let _ = match grpc {
        None => {
            let service = service_fn(move |request| app.clone().oneshot(request));
            http1::Builder::new().serve_connection(stream, service).await
        }
        Some(shared) => {
            let service = service_fn(move |request| called(Arc::clone(&shared), request));
            http2::Builder::new(TokioExecutor::new()).serve_connection(stream, service).await
        }
    };
}

/// One call, by the generated services.
async fn called(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<http::Response<tonic::body::Body>, Infallible> {
    let headers = request.headers().clone();
    let door = Door { shared, headers };
    if request.uri().path().starts_with("/opentelemetry.proto.collector.trace.v1.TraceService/") {
        TraceServiceServer::new(door).accept_compressed(CompressionEncoding::Gzip).oneshot(request).await
    } else {
        MetricsServiceServer::new(door).accept_compressed(CompressionEncoding::Gzip).oneshot(request).await
    }
}

struct Door {
    shared: Arc<Shared>,
    headers: HeaderMap,
}

#[tonic::async_trait]
impl TraceService for Door {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        let spans = request.into_inner().resource_spans;
        let answer = self
            .shared
            .take("traces", self.headers.clone(), |received| received.traces.extend(spans))
            .await?;
        let answer = ExportTraceServiceResponse::decode(&*answer.unwrap_or_default()).unwrap();
        Ok(tonic::Response::new(answer))
    }
}

#[tonic::async_trait]
impl MetricsService for Door {
    async fn export(
        &self,
        request: tonic::Request<ExportMetricsServiceRequest>,
    ) -> Result<tonic::Response<ExportMetricsServiceResponse>, tonic::Status> {
        let metrics = request.into_inner().resource_metrics;
        let answer = self.shared.take("metrics", self.headers.clone(), |received| {
            received.metrics.extend(metrics);
        });
        let answer = ExportMetricsServiceResponse::decode(&*answer.await?.unwrap_or_default()).unwrap();
        Ok(tonic::Response::new(answer))
    }
}
