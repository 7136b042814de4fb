//! An address that refuses connections.

use std::net::SocketAddr;

use tokio::net::TcpSocket;

/// A port that is taken and never listened on: connections are refused, and the system gives it to nobody else meanwhile. A
/// service that asks for it by its number, as ours do, can take it as well.
pub(crate) struct ClosedPort {
    pub(crate) address: SocketAddr,
    _taken: TcpSocket,
}

impl ClosedPort {
    pub(crate) fn take() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        Self { address: socket.local_addr().unwrap(), _taken: socket }
    }
}
