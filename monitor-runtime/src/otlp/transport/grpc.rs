//! OTLP over gRPC: tonic's framing, compression and statuses, over a connection of ours.

use std::error::Error as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf as _, BufMut as _, Bytes};
use http::uri::PathAndQuery;
use http::{HeaderMap, Request, Response, Uri, header};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::TokioExecutor;
use prost::Message as _;
use tonic::body::Body;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};
use tower_service::Service;

use super::connection::connect;
use super::http1::USER_AGENT;
use super::{add, told, unavailable};
use crate::otlp::answer::{Answer, LONGEST_REST};
use crate::otlp::signal::Signal;
use crate::otlp::target::Target;

/// A client, with its connection if there is one.
#[derive(Debug)]
pub(super) struct Grpc {
    signal: Signal,
    target: Target,
    origin: Uri,
    metadata: HeaderMap,
    connection: Option<SendRequest<Body>>,
}

impl Grpc {
    pub(super) fn new(signal: Signal, target: &Target) -> Self {
        let mut metadata = HeaderMap::new();
        metadata.insert(header::USER_AGENT, USER_AGENT);
        add(&mut metadata, &target.headers);
        Self { signal, origin: target.uri.clone(), metadata, target: target.clone(), connection: None }
    }

    pub(super) fn disconnect(&mut self) {
        self.connection = None;
    }

    pub(super) async fn ask(&mut self, message: &Bytes, time: Duration) -> Answer {
        let sender = match self.connection.take().filter(|kept| !kept.is_closed()) {
            Some(kept) => kept,
            None => match self.connect().await {
                Ok(sender) => sender,
                Err(why) => return unavailable(why),
            },
        };
        let mut client = tonic::client::Grpc::with_origin(Http2(sender.clone()), self.origin.clone());
        if self.target.is_gzipped {
            client = client.send_compressed(CompressionEncoding::Gzip);
        }
        let metadata = MetadataMap::from_headers(self.metadata.clone());
        let mut request = tonic::Request::from_parts(metadata, tonic::Extensions::default(), message.clone());
        request.set_timeout(time);
        let answered = client.unary(request, method(self.signal), Encoded).await;
        self.connection = Some(sender);
        match answered {
            Ok(response) => Answer::accepted(self.signal, &response.into_inner()),
            Err(status) => judged(&status),
        }
    }

    async fn connect(&self) -> Result<SendRequest<Body>, String> {
        let connection = connect(&self.target).await.map_err(|error| told(&error))?;
        let handshake = http2::handshake(TokioExecutor::new(), connection).await;
        let (sender, connection) = handshake.map_err(|error| told(&error))?;
        tokio::spawn(connection);
        Ok(sender)
    }
}

fn method(signal: Signal) -> PathAndQuery {
    PathAndQuery::from_static(match signal {
        Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    })
}

/// Judges a status by the table of the protocol: <https://opentelemetry.io/docs/specs/otlp/#failures>.
fn judged(status: &Status) -> Answer {
    if let Some(source) = status.source() {
        // tonic made this status from an error of the connection.
        return unavailable(told(source));
    }
    let said = if status.message().is_empty() { "" } else { ": " };
    let why = format!("it answered {:?}{said}{}", status.code(), status.message());
    let retry_after = rest(status.details());
    match status.code() {
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => Answer::Unavailable { why, retry_after },
        // Without a time, a quota is used up; the collector is not just busy.
        Code::ResourceExhausted if retry_after.is_some() => Answer::Unavailable { why, retry_after },
        _ => Answer::Refused { why },
    }
}

/// The part of `google.rpc.Status` that is read.
#[derive(Clone, PartialEq, prost::Message)]
struct Details {
    #[prost(message, repeated, tag = "3")]
    details: Vec<Detail>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, prost::Message)]
struct Detail {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, prost::Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Delay>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, PartialEq, prost::Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

/// The pause that the status asks for. A negative one counts as none.
fn rest(details: &[u8]) -> Option<Duration> {
    let details = Details::decode(details).ok()?.details;
    let info = details.iter().find(|detail| detail.type_url.ends_with("/google.rpc.RetryInfo"))?;
    let delay = RetryInfo::decode(&*info.value).ok()?.retry_delay.unwrap_or_default();
    let (seconds, nanos) = (u64::try_from(delay.seconds).ok()?, u32::try_from(delay.nanos).ok()?);
    Some(Duration::from_secs(seconds).saturating_add(Duration::from_nanos(nanos.into())).min(LONGEST_REST))
}

/// A connection in the form that tonic takes.
struct Http2(SendRequest<Body>);

impl Service<Request<Body>> for Http2 {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = hyper::Result<Response<Incoming>>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}

/// Messages that are encoded already, and answers that are decoded later.
struct Encoded;

impl Codec for Encoded {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Encoded {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(message);
        Ok(())
    }
}

impl Decoder for Encoded {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn details(seconds: i64, nanos: i32) -> Vec<u8> {
        let value = RetryInfo { retry_delay: Some(Delay { seconds, nanos }) }.encode_to_vec();
        let other = Detail { type_url: "type.googleapis.com/google.rpc.Help".to_owned(), value: vec![0xff] };
        let info = Detail { type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(), value };
        Details { details: vec![other, info] }.encode_to_vec()
    }

    fn judged_with(code: Code, details: Vec<u8>) -> Answer {
        judged(&Status::with_details(code, "said", details.into()))
    }

    #[test]
    fn only_the_codes_of_the_protocols_table_are_tried_again() {
        let again = [
            Code::Cancelled,
            Code::DeadlineExceeded,
            Code::Aborted,
            Code::OutOfRange,
            Code::Unavailable,
            Code::DataLoss,
        ];
        for code in (1..=16).map(Code::from_i32) {
            let why = format!("it answered {code:?}: said");
            let expected = if again.contains(&code) {
                Answer::Unavailable { why, retry_after: None }
            } else {
                Answer::Refused { why }
            };
            assert_eq!(judged_with(code, Vec::new()), expected);
        }
    }

    #[test]
    fn a_retry_info_makes_an_exhausted_resource_retried() {
        for code in [Code::Unavailable, Code::ResourceExhausted] {
            let Answer::Unavailable { retry_after, .. } = judged_with(code, details(7, 500_000_000)) else {
                panic!("{code:?}");
            };
            assert_eq!(retry_after, Some(Duration::from_millis(7_500)));
        }
        assert!(matches!(judged_with(Code::InvalidArgument, details(7, 0)), Answer::Refused { .. }));
    }

    #[test]
    fn a_delay_has_an_upper_bound_and_what_cannot_be_read_is_none() {
        assert_eq!(rest(&details(i64::MAX, 0)), Some(LONGEST_REST));
        assert_eq!(rest(&details(0, 0)), Some(Duration::ZERO));
        for bad in [details(-1, 0), details(0, -1), vec![0xff, 0xff], Vec::new()] {
            assert_eq!(rest(&bad), None);
        }
    }
}
