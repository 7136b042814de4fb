//! An HTTP client for measurements.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// One kept HTTP/1.1 connection, just able to read answers that state their length.
pub(crate) struct Client {
    stream: TcpStream,
    answer: Vec<u8>,
    chunk: Box<[u8]>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        Ok(Self { stream, answer: Vec::new(), chunk: vec![0; 64 * 1024].into() })
    }

    /// Requests a path, and returns the body of a 200; any other answer is an error.
    pub(crate) fn get(&mut self, path: &str) -> io::Result<&[u8]> {
        self.stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n").as_bytes())?;
        self.answer.clear();
        let head = self.read_until(|answer| answer.windows(4).position(|end| end == b"\r\n\r\n"))? + 4;
        let length = content_length(&self.answer[..head]).ok_or_else(|| self.unexpected(path))?;
        self.read_until(|answer| (answer.len() >= head + length).then_some(0))?;
        Ok(&self.answer[head..])
    }

    fn read_until(&mut self, found: impl Fn(&[u8]) -> Option<usize>) -> io::Result<usize> {
        loop {
            if let Some(at) = found(&self.answer) {
                return Ok(at);
            }
            match self.stream.read(&mut self.chunk)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => self.answer.extend_from_slice(&self.chunk[..read]),
            }
        }
    }

    fn unexpected(&self, path: &str) -> io::Error {
        io::Error::other(format!("{path} answered {}", String::from_utf8_lossy(&self.answer)))
    }
}

/// The length that the head of a 200 states.
fn content_length(head: &[u8]) -> Option<usize> {
    let head = std::str::from_utf8(head).ok()?.to_ascii_lowercase();
    let fields = head.strip_prefix("http/1.1 200 ")?;
    fields.lines().find_map(|line| line.strip_prefix("content-length:"))?.trim().parse().ok()
}
