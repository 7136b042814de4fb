//! The way to a collector: one request, over one connection that is kept.

mod connection;
#[cfg(feature = "otlp-grpc")]
mod grpc;
mod http1;

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::runtime::Runtime;

use super::answer::Answer;
use super::choices::OtlpProtocol;
use super::signal::Signal;
use super::target::Target;

/// The client of one signal, which blocks the thread that exports it.
///
/// Its runtime has no thread: the connection is driven while a request waits for its answer, and at no other time.
#[derive(Debug)]
pub(super) struct Client {
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
    protocol: Protocol,
}

#[derive(Debug)]
enum Protocol {
    Http(http1::Http),
    #[cfg(feature = "otlp-grpc")]
    Grpc(grpc::Grpc),
}

impl Client {
    pub(super) fn new(signal: Signal, target: &Target) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let protocol = match target.protocol {
            #[cfg(feature = "otlp-grpc")]
            OtlpProtocol::Grpc => Protocol::Grpc(grpc::Grpc::new(signal, target)),
            #[cfg(not(feature = "otlp-grpc"))]
            OtlpProtocol::Grpc => unreachable!("refused as the settings are read"),
            OtlpProtocol::HttpProtobuf => Protocol::Http(http1::Http::new(signal, target)),
        };
        Ok(Self { runtime: Some(runtime), protocol })
    }

    /// Prepares a message once for all its tries.
    pub(super) fn prepare(&self, message: Vec<u8>) -> Bytes {
        match &self.protocol {
            Protocol::Http(http) => http.prepare(message),
            #[cfg(feature = "otlp-grpc")]
            Protocol::Grpc(_) => message.into(),
        }
    }

    /// Sends one request, and returns the answer, or unavailability after `time`.
    pub(super) fn ask(&mut self, request: &Bytes, time: Duration) -> Answer {
        let Some(runtime) = &self.runtime else { return unavailable("it is shut down") };
        let protocol = &mut self.protocol;
        let answered = runtime.block_on(async {
            // The runtime stood still since the last request, so only now it sees that the connection was closed.
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            let answer = async {
                match protocol {
                    Protocol::Http(http) => http.ask(request).await,
                    #[cfg(feature = "otlp-grpc")]
                    Protocol::Grpc(grpc) => grpc.ask(request, time).await,
                }
            };
            tokio::time::timeout(time, answer).await
        });
        answered.unwrap_or_else(|_| {
            self.protocol.disconnect();
            unavailable("it did not answer in time")
        })
    }
}

impl Protocol {
    /// Closes the connection, since a late answer would pass for the answer to the next request.
    fn disconnect(&mut self) {
        match self {
            Self::Http(http) => http.disconnect(),
            #[cfg(feature = "otlp-grpc")]
            Self::Grpc(grpc) => grpc.disconnect(),
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // A look-up of a name may hang; the end of the export does not wait for it.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Adds the headers of the settings, which replace those of the same name.
fn add(headers: &mut HeaderMap, given: &[(HeaderName, HeaderValue)]) {
    for (name, _) in given {
        headers.remove(name);
    }
    headers.extend(given.iter().cloned());
}

fn unavailable(why: impl Into<String>) -> Answer {
    Answer::Unavailable { why: why.into(), retry_after: None }
}

/// An error with its sources, in one line.
fn told(error: &(dyn std::error::Error + 'static)) -> String {
    crate::error_chain::ErrorText::of(error).whole
}
