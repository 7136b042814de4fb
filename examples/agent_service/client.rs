//! An HTTP client of the service.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use axum::http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Opens a connection for each request. Dropping a request closes its connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
}

impl Client {
    /// Asks a question, and disconnects if there is no answer within `patience`.
    pub(crate) async fn ask(self, question: &str, patience: Duration) -> anyhow::Result<StatusCode> {
        let body = serde_json::json!({ "question": question }).to_string();
        self.send(Method::POST, "/ask", body, patience).await
    }

    /// Asks a question with a time limit in milliseconds.
    pub(crate) async fn ask_within(
        self,
        question: &str,
        timeout_ms: u64,
        patience: Duration,
    ) -> anyhow::Result<StatusCode> {
        let body = serde_json::json!({ "question": question, "timeout_ms": timeout_ms }).to_string();
        self.send(Method::POST, "/ask", body, patience).await
    }

    /// Requests the list of runs.
    pub(crate) async fn list_runs(self, patience: Duration) -> anyhow::Result<StatusCode> {
        self.send(Method::GET, "/runs", String::new(), patience).await
    }

    async fn send(
        self,
        method: Method,
        path: &str,
        body: String,
        patience: Duration,
    ) -> anyhow::Result<StatusCode> {
        let stream = TcpStream::connect(self.address).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.address.to_string())
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::<Bytes>::from(body))?;
        let exchange = async move {
            let response = sender.send_request(request).await?;
            let status = response.status();
            response.into_body().collect().await?;
            Ok(status)
        };
        // The sender is dropped after the exchange, which closes the connection.
        let exchange = async { tokio::try_join!(exchange, connection) };
        let (status, ()) = timeout(patience, exchange).await.context("no patience left")??;
        Ok(status)
    }
}
