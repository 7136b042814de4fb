//! The socket of a connection, which detects a client that makes no progress.

use std::any::Any;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

use super::connection_state::{CloseReason, ConnectionState, Phase, RequestKind};
use super::connections::ConnectionSlot;
use super::descriptors::Reserve;

/// How long a probe or a scrape may continue after its client has closed its sending side.
const PROBE_HALF_CLOSE: Duration = Duration::from_secs(5);

/// The socket of a connection. The connection counts as open until the socket is dropped.
pub(super) struct Socket<T: Send + 'static> {
    /// `None` once the descriptor is back in the reserve.
    inner: Option<T>,
    slot: ConnectionSlot,
    /// Whether the kernel closes the connection if the client takes no bytes.
    has_user_timeout: bool,
    /// When a pending write is given up.
    write_deadline: Option<Pin<Box<Sleep>>>,
    /// When the client's end of stream, once received, is passed on.
    eof_deadline: Option<Pin<Box<Sleep>>>,
    reserve: Option<Arc<Reserve>>,
}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Socket<T> {
    pub(super) fn new(inner: T, slot: ConnectionSlot, reserve: Option<Arc<Reserve>>) -> Self {
        let has_user_timeout = set_write_timeout(&inner, slot.state().limits.write);
        Self { inner: Some(inner), slot, has_user_timeout, write_deadline: None, eof_deadline: None, reserve }
    }

    fn state(&self) -> &ConnectionState {
        self.slot.state()
    }

    fn poll_inner<R>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(Pin<&mut T>, &mut Context<'_>) -> Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        if self.has_user_timeout && self.slot.state().is_upgraded() {
            // The limits are for HTTP only.
            self.has_user_timeout = false;
            self.inner.iter().for_each(clear_write_timeout);
        }
        let Some(inner) = &mut self.inner else {
            return Poll::Ready(Err(ErrorKind::NotConnected.into()));
        };
        poll(Pin::new(inner), cx)
    }

    /// Polls an operation that waits for the client to take bytes; fails once the client has taken none for the write
    /// timeout.
    fn poll_until_taken<R>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(Pin<&mut T>, &mut Context<'_>) -> Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        let polled = self.poll_inner(cx, poll);
        match &polled {
            Poll::Pending if self.has_user_timeout || self.state().is_upgraded() => {}
            Poll::Pending => {
                let limit = self.state().limits.write;
                let write_deadline = self.write_deadline.get_or_insert_with(|| Box::pin(sleep(limit)));
                ready!(write_deadline.as_mut().poll(cx));
                self.state().set_close_reason(CloseReason::Write);
                return Poll::Ready(Err(ErrorKind::TimedOut.into()));
            }
            Poll::Ready(result) => {
                self.write_deadline = None;
                self.note_timeout(result);
            }
        }
        polled
    }

    /// Notes that the kernel has given up the client. Any later operation reports it, reads included.
    fn note_timeout<R>(&self, result: &io::Result<R>) {
        if result.as_ref().is_err_and(|error| error.kind() == ErrorKind::TimedOut) {
            self.state().set_close_reason(CloseReason::Write);
        }
    }

    /// Handles the client's end of stream. While a request is answered, it is held back for the half-close timeout, and
    /// for as long as the application produces output: the client may be waiting for the answer. If the client has
    /// left, it resets the connection when bytes are written.
    fn poll_eof(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let state = self.slot.state();
        let half_closed = match state.phase() {
            Phase::Answering(RequestKind::App) => state.limits.half_closed,
            Phase::Answering(RequestKind::Probe) => PROBE_HALF_CLOSE,
            Phase::Head | Phase::Idle | Phase::Upgraded => return Poll::Ready(Ok(())),
        };
        let eof_deadline = self.eof_deadline.get_or_insert_with(|| Box::pin(sleep(half_closed)));
        // Once the deadline has passed, every further read reports the same.
        if eof_deadline.deadline() > Instant::now() {
            ready!(eof_deadline.as_mut().poll(cx));
        }
        if state.note_eof() { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> AsyncRead for Socket<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.eof_deadline.is_some() {
            return self.poll_eof(cx);
        }
        if self.state().is_cut(cx) {
            return Poll::Ready(Err(ErrorKind::ConnectionAborted.into()));
        }
        let (before, has_room) = (buffer.filled().len(), buffer.remaining() > 0);
        let read = ready!(self.poll_inner(cx, |inner, cx| inner.poll_read(cx, buffer)));
        self.note_timeout(&read);
        read?;
        if buffer.filled().len() > before {
            self.state().note_read();
        } else if has_room {
            return self.poll_eof(cx);
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> AsyncWrite for Socket<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_until_taken(cx, |inner, cx| inner.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_until_taken(cx, |inner, cx| inner.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }

    /// hyper flushes after writing everything it has, so a completed flush means that a finished answer is with the
    /// kernel.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_until_taken(cx, T::poll_flush))?;
        self.state().note_flush();
        if self.eof_deadline.is_some() && !self.state().is_answering() {
            // Read the end of stream that was held back.
            cx.waker().wake_by_ref();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_until_taken(cx, T::poll_shutdown)
    }
}

impl<T: Send + 'static> Drop for Socket<T> {
    fn drop(&mut self) {
        let (Some(reserve), Some(inner)) = (&self.reserve, self.inner.take()) else { return };
        if let Ok(connection) = downcast::<TcpStream, T>(inner) {
            reserve.keep(connection);
        }
    }
}

/// Converts a value to `T` if that is its type.
pub(super) fn downcast<T: 'static, U: 'static>(value: U) -> Result<T, U> {
    let mut value = Some(value);
    match (&mut value as &mut dyn Any).downcast_mut::<Option<T>>().and_then(Option::take) {
        Some(same) => Ok(same),
        None => value.map_or_else(|| unreachable!("the value has not been taken"), Err),
    }
}

/// Makes the kernel close a TCP connection whose client takes no bytes for that long. Returns whether the platform
/// supports it.
///
/// The kernel sees every acknowledged segment. A pending write only sees that a third of the send buffer is free again,
/// which can take minutes with a slow client.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn set_write_timeout<T: 'static>(connection: &T, limit: Duration) -> bool {
    let limit = u32::try_from(limit.as_millis()).unwrap_or(u32::MAX).clamp(1, i32::MAX.unsigned_abs());
    set_user_timeout(connection, limit)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn clear_write_timeout<T: 'static>(connection: &T) {
    // Zero restores the system's default.
    set_user_timeout(connection, 0);
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn set_user_timeout<T: 'static>(connection: &T, milliseconds: u32) -> bool {
    let connection = (connection as &dyn Any).downcast_ref::<TcpStream>();
    connection.is_some_and(|tcp| rustix::net::sockopt::set_tcp_user_timeout(tcp, milliseconds).is_ok())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn set_write_timeout<T>(_: &T, _: Duration) -> bool {
    false
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn clear_write_timeout<T>(_: &T) {}
