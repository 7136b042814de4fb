//! One request, and the part of its answer that an error message shows.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::target::{Host, Target};

/// The maximum number of bytes read of an answer.
const MOST_READ: usize = 8 * 1_024;

/// The maximum number of characters of a body in an error message.
const MOST_TOLD: usize = 200;

/// The answer of a server.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Http { status: u16, body: String },
    Other(String),
}

/// Sends the request to the first address that accepts a connection.
pub(super) fn ask(target: &Target, deadline: Instant) -> io::Result<Answer> {
    let mut connection = connect(&addresses(target, deadline)?, deadline)?;
    connection.set_write_timeout(Some(left_until(deadline)?))?;
    let Target { path, authority, .. } = target;
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {authority}\r\nuser-agent: monitor-probe\r\naccept: */*\r\nconnection: close\r\n\r\n"
    );
    connection.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    match read(&mut connection, &mut answer, deadline) {
        // The status counts even if the rest of the answer is missing.
        Err(error) if status(&answer).is_none() => Err(error),
        _ => Ok(judge(&answer)),
    }
}

fn connect(addresses: &[SocketAddr], deadline: Instant) -> io::Result<TcpStream> {
    let mut refused = io::Error::new(ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match TcpStream::connect_timeout(address, left_until(deadline)?) {
            Ok(connection) => return Ok(connection),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

fn addresses(target: &Target, deadline: Instant) -> io::Result<Vec<SocketAddr>> {
    match &target.host {
        Host::Address(address) => Ok(vec![SocketAddr::new(*address, target.port)]),
        Host::Name(name) => look_up(name.clone(), target.port, deadline),
    }
}

/// Looks up a name on a separate thread, since a look-up cannot be cancelled. A thread that hangs is left behind.
fn look_up(name: String, port: u16, deadline: Instant) -> io::Result<Vec<SocketAddr>> {
    let (sender, found) = mpsc::channel();
    thread::Builder::new().name("monitor-probe".to_owned()).spawn(move || {
        let addresses = (name.as_str(), port).to_socket_addrs().map(Iterator::collect);
        // The receiver may have timed out.
        let _ = sender.send(addresses);
    })?;
    found.recv_timeout(left_until(deadline)?).unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
}

/// Reads until the answer is known to be 200, or until there is enough of it for the message.
fn read(connection: &mut TcpStream, answer: &mut Vec<u8>, deadline: Instant) -> io::Result<()> {
    let mut chunk = [0; 1_024];
    while answer.len() < MOST_READ && status(answer) != Some(200) {
        connection.set_read_timeout(Some(left_until(deadline)?))?;
        match connection.read(&mut chunk) {
            Ok(0) if answer.is_empty() => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(0) => return Ok(()),
            Ok(read) => answer.extend_from_slice(&chunk[..read]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn left_until(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// The status code, once the status line is complete.
fn status(answer: &[u8]) -> Option<u16> {
    let end = answer.windows(2).position(|end| end == b"\r\n")?;
    let line = std::str::from_utf8(&answer[..end]).ok()?;
    let mut words = line.split(' ');
    let version = words.next()?;
    let code = words.next().filter(|code| code.len() == 3)?;
    matches!(version, "HTTP/1.1" | "HTTP/1.0").then(|| code.parse().ok()).flatten()
}

fn judge(answer: &[u8]) -> Answer {
    match status(answer) {
        Some(status) => Answer::Http { status, body: told(body(answer)) },
        None => Answer::Other(told(answer)),
    }
}

fn body(answer: &[u8]) -> &[u8] {
    let head = answer.windows(4).position(|end| end == b"\r\n\r\n");
    head.map_or(&[], |head| &answer[head + 4..])
}

/// Converts bytes to text on one line.
fn told(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let plain = text.trim().chars().map(|char| if char.is_control() { ' ' } else { char });
    plain.take(MOST_TOLD).collect()
}
