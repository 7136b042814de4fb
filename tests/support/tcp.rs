//! Servers that misbehave on purpose, on real sockets.
#![allow(dead_code, reason = "every test file compiles all of it and uses its own part")]

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Listens, accepts and never answers; gone with the runtime.
pub(crate) async fn silent_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((connection, _)) = listener.accept().await {
            held.push(connection);
        }
    });
    address
}

/// The treatment of a [`Proxy`]'s connections, old and new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Passes bytes both ways.
    Open,
    /// Keeps connections, and passes nothing.
    Silent,
    /// Ends connections.
    Closed,
}

/// Stands between a client and a server.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    mode: watch::Sender<Mode>,
}

impl Proxy {
    /// Begins open.
    pub(crate) async fn to(host: &str, port: u16) -> Self {
        let server = lookup_host((host, port)).await.unwrap().next().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mode = watch::Sender::new(Mode::Open);
        tokio::spawn(accept(listener, server, mode.subscribe()));
        Self { address, mode }
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, mode: watch::Receiver<Mode>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        connections.spawn(pass(client, server, mode.clone()));
    }
}

async fn pass(mut client: TcpStream, server: SocketAddr, mut mode: watch::Receiver<Mode>) {
    let mut upstream = TcpStream::connect(server).await.unwrap();
    loop {
        let now = *mode.borrow_and_update();
        match now {
            Mode::Closed => return,
            Mode::Silent => mode.changed().await.unwrap(),
            Mode::Open => tokio::select! {
                _ = copy_bidirectional(&mut client, &mut upstream) => return,
                changed = mode.changed() => changed.unwrap(),
            },
        }
    }
}

/// Looks again and again until something is so, for a minute at most: enough for a busy machine.
pub(crate) async fn eventually<F, Fut>(what: &str, mut is_so: F)
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    for _ in 0..3_000 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never so: {what}");
}
