//! The messages, the server and the client of `proto/assistant.proto`.
//!
//! Written by hand in the shape that `tonic-prost-build` gives them, so that a build needs no `protoc`. In a service of your own,
//! generate this file.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::stream::BoxStream;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::codegen::{Body, BoxFuture, Service, StdError, http};
use tonic::server::{Grpc, NamedService, ServerStreamingService, UnaryService};
use tonic::transport::Channel;
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

/// A question for the assistant.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Question {
    /// The question.
    #[prost(string, tag = "1")]
    pub text: String,
}

/// An answer, or a word of one.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Answer {
    /// The answer.
    #[prost(string, tag = "1")]
    pub text: String,
}

/// The stream of a `Recite`.
pub type Answers = BoxStream<'static, Result<Answer, Status>>;

/// The methods of the service.
#[tonic::async_trait]
pub trait Assistant: Send + Sync + 'static {
    /// Answers at once, whole.
    async fn ask(&self, request: Request<Question>) -> Result<Response<Answer>, Status>;

    /// Answers word by word.
    async fn recite(&self, request: Request<Question>) -> Result<Response<Answers>, Status>;
}

/// The server of an [`Assistant`].
#[derive(Debug)]
pub struct AssistantServer<T>(Arc<T>);

impl<T> AssistantServer<T> {
    /// Makes a server.
    pub fn new(assistant: T) -> Self {
        Self(Arc::new(assistant))
    }
}

impl<T> Clone for AssistantServer<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> NamedService for AssistantServer<T> {
    const NAME: &'static str = "agents.v1.Assistant";
}

impl<T: Assistant> UnaryService<Question> for AssistantServer<T> {
    type Response = Answer;
    type Future = BoxFuture<Response<Answer>, Status>;

    fn call(&mut self, request: Request<Question>) -> Self::Future {
        let assistant = Arc::clone(&self.0);
        Box::pin(async move { assistant.ask(request).await })
    }
}

impl<T: Assistant> ServerStreamingService<Question> for AssistantServer<T> {
    type Response = Answer;
    type ResponseStream = Answers;
    type Future = BoxFuture<Response<Answers>, Status>;

    fn call(&mut self, request: Request<Question>) -> Self::Future {
        let assistant = Arc::clone(&self.0);
        Box::pin(async move { assistant.recite(request).await })
    }
}

impl<T, B> Service<http::Request<B>> for AssistantServer<T>
where
    T: Assistant,
    B: Body + Send + 'static,
    B::Error: Into<StdError> + Send + 'static,
{
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let method = self.clone();
        Box::pin(async move {
            let mut grpc = Grpc::new(ProstCodec::default());
            Ok(match request.uri().path() {
                "/agents.v1.Assistant/Ask" => grpc.unary(method, request).await,
                "/agents.v1.Assistant/Recite" => grpc.server_streaming(method, request).await,
                _ => Status::unimplemented("no such method").into_http(),
            })
        })
    }
}

/// A client of the service.
#[derive(Clone, Debug)]
pub struct AssistantClient(tonic::client::Grpc<Channel>);

impl AssistantClient {
    /// Makes a client.
    pub fn new(channel: Channel) -> Self {
        Self(tonic::client::Grpc::new(channel))
    }

    async fn ready(&mut self) -> Result<(), Status> {
        self.0.ready().await.map_err(|error| Status::unavailable(error.to_string()))
    }

    /// Calls `Ask`.
    ///
    /// # Errors
    ///
    /// The status of the call.
    pub async fn ask(&mut self, question: Question) -> Result<Answer, Status> {
        self.call("/agents.v1.Assistant/Ask", question).await
    }

    /// Calls any unary method that takes and gives the same messages as `Ask`.
    ///
    /// # Errors
    ///
    /// The status of the call.
    pub async fn call(&mut self, path: &'static str, question: Question) -> Result<Answer, Status> {
        self.ready().await?;
        let path = PathAndQuery::from_static(path);
        Ok(self.0.unary(Request::new(question), path, ProstCodec::default()).await?.into_inner())
    }

    /// Calls `Recite`.
    ///
    /// # Errors
    ///
    /// The status of the call.
    pub async fn recite(&mut self, question: Question) -> Result<Streaming<Answer>, Status> {
        self.ready().await?;
        let path = PathAndQuery::from_static("/agents.v1.Assistant/Recite");
        let codec = ProstCodec::default();
        Ok(self.0.server_streaming(Request::new(question), path, codec).await?.into_inner())
    }
}
