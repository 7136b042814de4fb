//! An HTTP client that speaks bytes, over a connection of its own each time.
#![allow(dead_code, reason = "every test file compiles all of it and uses its own part")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// The longest silence of a server: enough for a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// Asks a server at that address.
#[derive(Clone, Copy)]
pub(crate) struct Client(pub(crate) SocketAddr);

/// A whole response.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Client {
    pub(crate) fn send(self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
        let mut response = String::new();
        let mut connection = self.send_only(method, path, headers, body);
        connection.set_read_timeout(Some(PATIENCE)).unwrap();
        let read = connection.read_to_string(&mut response);
        read.unwrap_or_else(|error| panic!("{method} {path}: {error} after {response:?}"));
        Response::read(&response)
    }

    /// Sends a request and does not wait for the response; dropping the connection is leaving.
    pub(crate) fn send_only(
        self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> TcpStream {
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        let length = body.len().to_string();
        let own = [("host", "test"), ("connection", "close"), ("content-length", &length)];
        for (name, value) in own.iter().chain(headers) {
            head.extend([name, ": ", value, "\r\n"]);
        }
        let mut connection = TcpStream::connect(self.0).unwrap();
        connection.write_all(format!("{head}\r\n{body}").as_bytes()).unwrap();
        connection
    }
}

impl Response {
    fn read(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no response: {text:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    /// The value of that header, in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}
