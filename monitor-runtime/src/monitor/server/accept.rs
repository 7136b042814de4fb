//! Accepts connections, even if the process has no descriptors left.

use std::any::Any;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::AsyncWrite;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout};

use super::connections::Connections;
use super::descriptors::{Reserve, is_shortage};
use super::socket::downcast;

/// The pause after an error that would only repeat.
const PAUSE: Duration = Duration::from_millis(20);

/// How long a stop waits for the next connection in the kernel's backlog.
const BACKLOG_WAIT: Duration = Duration::from_millis(10);

/// How long it accepts from the backlog in total, since clients that do not know of the stop keep connecting.
const BACKLOG_TIME: Duration = Duration::from_millis(100);

/// The maximum number of connections taken from the kernel directly at the end; its default backlog.
const BACKLOG_LEN: usize = 4_096;

/// The complete answer to a client whose connection is refused.
const REFUSAL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n";

/// Waits for the next connection.
pub(super) async fn accept_next<L>(
    listener: &mut L,
    connections: &Connections,
    reserve: Option<&Reserve>,
) -> (L::Io, L::Addr)
where
    L: Listener,
    L::Addr: 'static,
{
    loop {
        let error = match try_accept(listener).await {
            Ok(accepted) => return accepted,
            Err(error) => error,
        };
        if is_of_one_connection(&error) {
            continue;
        }
        connections.log.no_descriptor(&error);
        if !is_shortage(&error) {
            sleep(PAUSE).await;
        } else if !reserve.is_some_and(Reserve::release) {
            connections.count_without_descriptor();
            connections.make_room();
            sleep(PAUSE).await;
        }
    }
}

/// Takes the connections in the kernel's backlog, and closes the listener.
pub(super) async fn accept_backlog<L>(
    mut listener: L,
    connections: &Connections,
    mut begin: impl FnMut((L::Io, L::Addr)),
) where
    L: Listener,
    L::Addr: 'static,
{
    // The runtime may not have been notified of them yet.
    let until = Instant::now() + BACKLOG_TIME;
    while Instant::now() < until {
        let next = timeout(BACKLOG_WAIT, accept_next(&mut listener, connections, None));
        let Ok(accepted) = next.await else { break };
        begin(accepted);
    }
    // A direct call to the kernel answers at once, so the gap until the listener is closed is minimal.
    let Ok(listener) = downcast::<TcpListener, L>(listener).map(TcpListener::into_std) else { return };
    let Ok(listener) = listener else { return };
    let accepted = std::iter::from_fn(|| listener.accept().ok()).take(BACKLOG_LEN).collect::<Vec<_>>();
    drop(listener);
    for (connection, address) in accepted {
        let connection = connection.set_nonblocking(true).and_then(|()| TcpStream::from_std(connection));
        if let Ok(connection) = connection {
            begin(downcast_accepted((connection, address)));
        }
    }
}

/// Tries to accept once. Listeners of tokio return their errors; others behind axum's trait handle and retry errors
/// internally.
async fn try_accept<L>(listener: &mut L) -> io::Result<(L::Io, L::Addr)>
where
    L: Listener,
    L::Addr: 'static,
{
    let any = listener as &mut dyn Any;
    if let Some(tcp) = any.downcast_ref::<TcpListener>() {
        return tcp.accept().await.map(downcast_accepted);
    }
    #[cfg(unix)]
    if let Some(unix) = any.downcast_ref::<tokio::net::UnixListener>() {
        return unix.accept().await.map(downcast_accepted);
    }
    Ok(listener.accept().await)
}

/// Casts connection and address to the associated types of the listener, which they are.
fn downcast_accepted<I: 'static, A: 'static, T: 'static, U: 'static>((io, address): (T, U)) -> (I, A) {
    match (downcast::<I, T>(io), downcast::<A, U>(address)) {
        (Ok(io), Ok(address)) => (io, address),
        _ => unreachable!("a listener of tokio has one type of connection"),
    }
}

/// Whether the error concerns a single connection, which is gone.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::Interrupted
    )
}

/// Sends the refusal as far as the connection takes it at once.
pub(super) fn refuse(mut io: impl AsyncWrite + Unpin) {
    let mut cx = Context::from_waker(Waker::noop());
    let _ = Pin::new(&mut io).poll_write(&mut cx, REFUSAL);
    let _ = Pin::new(&mut io).poll_shutdown(&mut cx);
}
