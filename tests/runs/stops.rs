//! Pages that are open while their process stops.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use axum::Router;
use monitor_runtime::{Dashboard, Monitor};

use crate::page::Stream;
use crate::support::subprocess::{self, Subprocess};

const SERVICE: Subprocess = Subprocess::new(module_path!(), "service");

/// Longer than any test waits.
const LONG: Duration = Duration::from_hours(1);

/// More than a process takes to end on a busy machine.
const SOON: Duration = Duration::from_mins(1);

/// Serves the page on both listeners until a signal comes, and says where.
#[test]
#[ignore = "plays a part in other tests"]
fn service() {
    if subprocess::part().is_none() {
        return;
    }
    let monitor = Monitor::builder()
        .admin_port(0)
        .bearer_token("s3cret")
        .dashboard(Dashboard::new().on_main_port())
        .drain_delay(Duration::from_millis(300))
        .shutdown_timeout(LONG)
        .grace_period(2 * LONG)
        .build()
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}\n{}", listener.local_addr().unwrap(), monitor.admin_address().unwrap());
        monitor.serve(listener, Router::new()).await.unwrap();
    });
    println!("served");
}

/// Stops the service while a page follows one of its listeners.
fn stop_while_followed(listener: usize) {
    let mut child = SERVICE.spawn("both");
    let said = BufReader::new(child.stdout.take().unwrap());
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || said.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let line = || lines.recv_timeout(SOON).unwrap();
    while !line().ends_with(subprocess::BEGIN.trim_end()) {}
    let addresses: [SocketAddr; 2] = [line(), line()].map(|line| line.parse().unwrap());
    // Its signal handlers are there once the main port answers.
    let [first, mut stream] = [addresses[0], addresses[listener]].map(|address| {
        let connection = TcpStream::connect(address).unwrap();
        connection.set_read_timeout(Some(SOON)).unwrap();
        let path = "/monitor/api/v1/stream?topics=now";
        let mut stream = Stream::over(connection, path, "authorization: Bearer s3cret\r\n");
        stream.until("tick", |_| true);
        stream
    });
    drop(first);
    let signalled = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(signalled.success());
    stream.until("bye", |_| true);
    assert!(stream.next().is_none(), "the stream is over");
    let last = lines.recv_timeout(SOON);
    if last.is_err() {
        child.kill().unwrap();
    }
    assert_eq!(last.as_deref(), Ok("served"), "the process waits for the stream");
    assert!(child.wait().unwrap().success());
}

#[test]
fn at_a_signal_a_stream_of_the_main_port_ends_and_so_does_the_process() {
    stop_while_followed(0);
}

#[test]
fn at_a_signal_a_stream_of_the_admin_listener_ends_and_so_does_the_process() {
    stop_while_followed(1);
}
