//! The service's listening socket.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::Context as _;
use tokio::net::{TcpListener, TcpSocket, lookup_host};

/// Length of the queue of clients that wait to be accepted.
const BACKLOG: u32 = 1024;

/// A bound port that does not listen yet: a client that connects during the start is refused at once, and does not hang.
#[derive(Debug)]
pub(crate) struct Port {
    socket: TcpSocket,
    /// The requested address, as text.
    name: String,
}

impl Port {
    /// Binds a port, or a free one if it is 0.
    pub(crate) async fn take(host: &str, port: u16) -> anyhow::Result<Self> {
        let name = format!("{host}, port {port}");
        let socket = bind(host, port).await.with_context(|| format!("cannot listen on {name}"))?;
        Ok(Self { socket, name })
    }

    /// Starts to accept clients.
    pub(crate) fn listen(self) -> anyhow::Result<TcpListener> {
        // Two processes may bind a port on which none listens yet, so another process can have been quicker.
        self.socket.listen(BACKLOG).with_context(|| format!("cannot listen on {}", self.name))
    }
}

async fn bind(host: &str, port: u16) -> io::Result<TcpSocket> {
    let mut refused = io::Error::new(io::ErrorKind::InvalidInput, "the name has no address");
    for address in lookup_host((host, port)).await? {
        match bind_to(address) {
            Ok(socket) => return Ok(socket),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

fn bind_to(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // As `TcpListener::bind` does it: connections of a service that has just ended do not block the port for the next one. On
    // Windows the option would let two processes listen.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// An address at which this machine reaches the service.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Address(pub(crate) SocketAddr);

impl Address {
    /// The listener's own address, or the loopback one if it listens on all.
    pub(crate) fn of(listener: &TcpListener) -> io::Result<Self> {
        let mut address = listener.local_addr()?;
        if address.ip().is_unspecified() {
            let is_v4 = address.is_ipv4();
            address.set_ip(if is_v4 {
                IpAddr::V4(Ipv4Addr::LOCALHOST)
            } else {
                IpAddr::V6(Ipv6Addr::LOCALHOST)
            });
        }
        Ok(Self(address))
    }
}

/// The beginning of a URL.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.0)
    }
}
