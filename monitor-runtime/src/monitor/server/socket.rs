//! A connection's socket, which tells when its client makes no progress.

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

/// How long a probe or a scrape goes on whose client has ended its side.
const PROBE_HALF_CLOSE: Duration = Duration::from_secs(5);

/// The socket of a connection. The connection counts as open until it is dropped.
pub(super) struct Socket<T: Send + 'static> {
    /// `None` once its descriptor has gone back into the reserve.
    inner: Option<T>,
    slot: ConnectionSlot,
    /// Whether the kernel gives up a client that takes nothing.
    has_user_timeout: bool,
    /// When a write that has begun to wait is given up.
    write_deadline: Option<Pin<Box<Sleep>>>,
    /// When the end of the client's side is passed on, once it has come.
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
            // How long its client may take is the other protocol's affair.
            self.has_user_timeout = false;
            self.inner.iter().for_each(clear_write_timeout);
        }
        let Some(inner) = &mut self.inner else {
            return Poll::Ready(Err(ErrorKind::NotConnected.into()));
        };
        poll(Pin::new(inner), cx)
    }

    /// Polls something that waits for the client to take bytes, until it has taken none for too long.
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

    /// The kernel tells by whatever comes next, a read as well, that it has given up the client.
    fn note_timeout<R>(&self, result: &io::Result<R>) {
        if result.as_ref().is_err_and(|error| error.kind() == ErrorKind::TimedOut) {
            self.state().set_close_reason(CloseReason::Write);
        }
    }

    /// The client sends no more. While it is answered that is kept back for a while, and for as long as the application has
    /// something to write: it may wait for the answer. One that has left resets the connection when that is written.
    fn poll_eof(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let state = self.slot.state();
        let half_closed = match state.phase() {
            Phase::Answering(RequestKind::App) => state.limits.half_closed,
            Phase::Answering(RequestKind::Probe) => PROBE_HALF_CLOSE,
            Phase::Head | Phase::Idle | Phase::Upgraded => return Poll::Ready(Ok(())),
        };
        let eof_deadline = self.eof_deadline.get_or_insert_with(|| Box::pin(sleep(half_closed)));
        // It says the same each time that it is asked again.
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

    /// hyper flushes once it has written all that it has, so that an answer which has ended is with the kernel then.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_until_taken(cx, T::poll_flush))?;
        self.state().note_flush();
        if self.eof_deadline.is_some() && !self.state().is_answering() {
            // The end that was kept back is to be read now.
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
        if let (Some(reserve), Some(inner)) = (&self.reserve, self.inner.take())
            && let Ok(connection) = downcast::<TcpStream, T>(inner)
        {
            reserve.keep(connection);
        }
    }
}

/// The value as what it is, if it is that.
pub(super) fn downcast<T: 'static, U: 'static>(value: U) -> Result<T, U> {
    let mut value = Some(value);
    match (&mut value as &mut dyn Any).downcast_mut::<Option<T>>().and_then(Option::take) {
        Some(same) => Ok(same),
        None => value.map_or_else(|| unreachable!("nothing has taken it"), Err),
    }
}

/// Has the kernel give up a TCP connection whose client takes nothing for so long, if it can.
///
/// It knows of each segment that was taken. A write that waits knows only that a third of the send buffer has become free,
/// which can take minutes where a client is slow.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn set_write_timeout<T: 'static>(connection: &T, limit: Duration) -> bool {
    let limit = u32::try_from(limit.as_millis()).unwrap_or(u32::MAX).clamp(1, i32::MAX.unsigned_abs());
    set_user_timeout(connection, limit)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn clear_write_timeout<T: 'static>(connection: &T) {
    // Zero is what the system does by itself.
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
