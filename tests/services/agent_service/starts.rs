//! The time before the service is up.

use std::io::ErrorKind;
use std::net::TcpStream;

use tempfile::TempDir;

use crate::support::closed_port::ClosedPort;
use crate::support::service::{LISTENING, Service, command, eventually, notes};

/// Notes that take a while to be stored.
fn many_notes() -> TempDir {
    let notes = notes();
    let text = "Many words on tea and cups.\n\n".repeat(60_000);
    for number in 0..10 {
        std::fs::write(notes.path().join(format!("{number}.md")), &text).unwrap();
    }
    notes
}

/// A service that is starting and wants that port.
fn starting(notes: &TempDir, port: u16) -> Service {
    let service = Service::spawn(command().args(["--port", &port.to_string(), "--docs"]).arg(notes.path()));
    eventually("it makes a database", || service.has_temporary_files().then_some(()));
    service
}

#[test]
fn a_stop_during_the_start_ends_well_and_leaves_no_files() {
    let notes = many_notes();
    for signal in ["-TERM", "-INT"] {
        let ended = starting(&notes, 0).stop_by(signal);
        assert_eq!((ended.status.code(), ended.stderr.as_str()), (Some(0), ""), "{signal}");
        assert_eq!(ended.log.last().unwrap()["event"], "stopped");
    }
}

#[test]
fn a_client_during_the_start_is_refused_and_does_not_hang() {
    let notes = many_notes();
    // Held, so that nobody else listens there.
    let port = ClosedPort::take();
    let service = starting(&notes, port.address.port());
    let refused = TcpStream::connect(port.address).map_err(|error| error.kind());
    assert_eq!(refused.err(), Some(ErrorKind::ConnectionRefused));
    assert!(!service.stderr().contains(LISTENING), "it was up before it was asked");
}
