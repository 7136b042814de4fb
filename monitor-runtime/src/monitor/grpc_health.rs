//! The health service of gRPC, fed from readiness.
//!
//! Messages and codec are written here, not taken from `tonic-health`: a build needs no `protoc`, and `tonic` is the
//! only crate whose version has to be the application's.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use http_body::Body;
use prost::Message;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{Grpc, NamedService, ServerStreamingService, UnaryService};
use tonic::{Request, Response, Status};
use tower_service::Service;

use super::drain::Serving;
use super::endpoints::Endpoints;
use super::handle::Monitor;
use crate::http::GrpcServices;
use crate::monitor_route::{GRPC_CHECK, GRPC_WATCH};

/// The interval at which a watch looks for a change. Readiness also changes with the age of results, without an event.
const LOOK: Duration = Duration::from_millis(100);

impl Monitor {
    /// Returns the service `grpc.health.v1.Health`, which answers from readiness: `SERVING` while
    /// [`ready`](Monitor::ready) answers 200, and `NOT_SERVING` otherwise, also while the process drains.
    ///
    /// It knows the empty name, which means the whole server, and the services of
    /// [`MonitorBuilder::grpc`](crate::MonitorBuilder::grpc). All have the same status. For another name, `Check` fails
    /// with `NOT_FOUND`, and `Watch` sends `SERVICE_UNKNOWN`.
    ///
    /// `Watch` sends the status at once, and each change within 100 ms. It ends when the server has to stop accepting
    /// connections, so a server that waits for its streams does not wait for this one. Its calls are not counted, like
    /// all probes.
    ///
    /// ```no_run
    /// use monitor_runtime::Monitor;
    /// use monitor_runtime::http::GrpcServices;
    ///
    /// let services = GrpcServices::new().service("helloworld.Greeter", ["SayHello"]);
    /// let monitor = Monitor::builder().grpc(services).build()?;
    /// let health = monitor.grpc_health();
    /// # drop(health);
    /// # Ok::<(), monitor_runtime::BuildError>(())
    /// ```
    pub fn grpc_health(&self) -> GrpcHealth {
        GrpcHealth {
            endpoints: Arc::clone(&self.endpoints),
            services: Arc::clone(&self.servers.grpc),
            serving: Arc::clone(&self.servers.serving),
        }
    }
}

/// The service `grpc.health.v1.Health` of [`Monitor::grpc_health`], for `add_service` of tonic's `Server` and `Routes`.
#[derive(Clone)]
pub struct GrpcHealth {
    endpoints: Arc<Endpoints>,
    services: Arc<GrpcServices>,
    serving: Arc<Serving>,
}

impl fmt::Debug for GrpcHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrpcHealth").finish_non_exhaustive()
    }
}

impl GrpcHealth {
    fn status(&self, service: &str) -> ServingStatus {
        if !service.is_empty() && !self.services.has(service) {
            ServingStatus::ServiceUnknown
        } else if self.endpoints.engine.is_ready() {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        }
    }
}

impl NamedService for GrpcHealth {
    const NAME: &'static str = "grpc.health.v1.Health";
}

impl<B> Service<http::Request<B>> for GrpcHealth
where
    B: Body + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>> + Send,
{
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let health = self.clone();
        match request.uri().path() {
            GRPC_CHECK => {
                Box::pin(async move { Ok(Grpc::new(HealthCodec).unary(Check(health), request).await) })
            }
            GRPC_WATCH => {
                Box::pin(
                    async move { Ok(Grpc::new(HealthCodec).server_streaming(Watch(health), request).await) },
                )
            }
            _ => Box::pin(ready(Ok(Status::unimplemented("the service has Check and Watch").into_http()))),
        }
    }
}

/// The method `Check`.
struct Check(GrpcHealth);

impl UnaryService<HealthCheckRequest> for Check {
    type Response = HealthCheckResponse;
    type Future = Ready<Result<Response<HealthCheckResponse>, Status>>;

    fn call(&mut self, request: Request<HealthCheckRequest>) -> Self::Future {
        ready(match self.0.status(&request.get_ref().service) {
            ServingStatus::ServiceUnknown => Err(Status::not_found("no service of this name")),
            known => Ok(Response::new(known.into())),
        })
    }
}

/// The method `Watch`.
struct Watch(GrpcHealth);

impl ServerStreamingService<HealthCheckRequest> for Watch {
    type Response = HealthCheckResponse;
    type ResponseStream = Changes;
    type Future = Ready<Result<Response<Changes>, Status>>;

    fn call(&mut self, request: Request<HealthCheckRequest>) -> Self::Future {
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let service = request.into_inner().service;
        ready(Ok(Response::new(Changes { health: self.0.clone(), service, sent: None, ticks })))
    }
}

/// The status of a service, and each change.
struct Changes {
    health: GrpcHealth,
    service: String,
    /// The status that was sent last.
    sent: Option<ServingStatus>,
    ticks: Interval,
}

impl Stream for Changes {
    type Item = Result<HealthCheckResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let now = self.health.status(&self.service);
            if self.sent != Some(now) {
                self.sent = Some(now);
                return Poll::Ready(Some(Ok(now.into())));
            }
            if self.health.serving.is_stopping() {
                return Poll::Ready(None);
            }
            std::task::ready!(self.ticks.poll_tick(cx));
        }
    }
}

/// `grpc.health.v1.HealthCheckRequest`.
#[derive(Clone, PartialEq, Eq, Message)]
struct HealthCheckRequest {
    #[prost(string, tag = "1")]
    service: String,
}

/// `grpc.health.v1.HealthCheckResponse`.
#[derive(Clone, PartialEq, Eq, Message)]
struct HealthCheckResponse {
    #[prost(enumeration = "ServingStatus", tag = "1")]
    status: i32,
}

/// `grpc.health.v1.HealthCheckResponse.ServingStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
enum ServingStatus {
    Unknown = 0,
    Serving = 1,
    NotServing = 2,
    ServiceUnknown = 3,
}

impl From<ServingStatus> for HealthCheckResponse {
    fn from(status: ServingStatus) -> Self {
        Self { status: status.into() }
    }
}

/// Reads requests and writes responses.
#[derive(Clone, Copy)]
struct HealthCodec;

impl Codec for HealthCodec {
    type Encode = HealthCheckResponse;
    type Decode = HealthCheckRequest;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for HealthCodec {
    type Item = HealthCheckResponse;
    type Error = Status;

    fn encode(&mut self, response: HealthCheckResponse, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        response.encode(buffer).map_err(|error| Status::internal(error.to_string()))
    }
}

impl Decoder for HealthCodec {
    type Item = HealthCheckRequest;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<HealthCheckRequest>, Status> {
        let request = HealthCheckRequest::decode(buffer);
        request.map(Some).map_err(|error| Status::internal(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    /// A body of one frame.
    struct Frame(Option<bytes::Bytes>);

    impl Body for Frame {
        type Data = bytes::Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<http_body::Frame<bytes::Bytes>, Infallible>>> {
            Poll::Ready(self.0.take().map(|data| Ok(http_body::Frame::data(data))))
        }
    }

    /// A request as a client sends it: an uncompressed message behind its length.
    fn request(method: &str, message: &[u8]) -> http::Request<Frame> {
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        let framed = [&[0], &length[..], message].concat();
        http::Request::post(format!("/grpc.health.v1.Health/{method}"))
            .header("content-type", "application/grpc")
            .body(Frame(Some(framed.into())))
            .unwrap()
    }

    fn ready_now<F: Future>(future: F) -> F::Output {
        let mut future = Box::pin(future);
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("the service waits for nothing"),
        }
    }

    /// The data of the response, and its `grpc-status`.
    fn answer(health: &GrpcHealth, method: &str, message: &[u8]) -> (Vec<u8>, String) {
        let mut response = ready_now(health.clone().call(request(method, message))).unwrap();
        let mut status = response.headers().get("grpc-status").cloned();
        let mut data = Vec::new();
        let mut body = Pin::new(response.body_mut());
        while let Some(frame) = ready_now(std::future::poll_fn(|cx| body.as_mut().poll_frame(cx))) {
            let frame = frame.unwrap();
            status =
                frame.trailers_ref().and_then(|trailers| trailers.get("grpc-status").cloned()).or(status);
            data.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
        }
        (data, status.unwrap().to_str().unwrap().to_owned())
    }

    const SERVICE: &[u8] = b"\x0a\x03a.B";

    #[tokio::test]
    async fn check_speaks_the_protocol() {
        let services = GrpcServices::new().service("a.B", ["C"]);
        let monitor = Monitor::builder().grpc(services).build().unwrap();
        let health = monitor.grpc_health();
        let serving = (b"\0\0\0\0\x02\x08\x01".to_vec(), "0".to_owned());
        assert_eq!(answer(&health, "Check", b""), serving, "the whole server");
        assert_eq!(answer(&health, "Check", SERVICE), serving, "a service");
        assert_eq!(answer(&health, "Check", b"\x0a\x01x"), (Vec::new(), "5".to_owned()), "NOT_FOUND");
        assert_eq!(answer(&health, "Check", b"\x0a\x09x"), (Vec::new(), "13".to_owned()), "cut short");
        assert_eq!(answer(&health, "List", b""), (Vec::new(), "12".to_owned()), "UNIMPLEMENTED");
    }

    #[tokio::test]
    async fn watch_sends_changes() {
        let monitor = Monitor::builder().build().unwrap();
        let mut response = ready_now(monitor.grpc_health().call(request("Watch", SERVICE))).unwrap();
        let mut body = Pin::new(response.body_mut());
        let frame = ready_now(std::future::poll_fn(|cx| body.as_mut().poll_frame(cx))).unwrap().unwrap();
        assert_eq!(frame.data_ref().unwrap()[..], *b"\0\0\0\0\x02\x08\x03", "SERVICE_UNKNOWN, once");
        let next = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx));
        assert!(tokio::time::timeout(LOOK * 5, next).await.is_err(), "no change");
    }
}
