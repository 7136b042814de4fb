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

use super::connections::Entry;
use super::descriptors::Reserve;
use super::pulse::{Kind, Phase, Pulse, Reason};

/// How long a probe or a scrape goes on whose client has ended its side.
const PROBE: Duration = Duration::from_secs(5);

/// The socket of a connection. The connection counts as open until it is dropped.
pub(super) struct Socket<T: Send + 'static> {
    /// `None` once its descriptor has gone back into the reserve.
    inner: Option<T>,
    entry: Entry,
    /// Whether the kernel gives up a client that takes nothing.
    is_watched: bool,
    /// When a write that has begun to wait is given up.
    stalled: Option<Pin<Box<Sleep>>>,
    /// When the end of the client's side is passed on, once it has come.
    ended: Option<Pin<Box<Sleep>>>,
    reserve: Option<Arc<Reserve>>,
}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Socket<T> {
    pub(super) fn new(inner: T, entry: Entry, reserve: Option<Arc<Reserve>>) -> Self {
        let is_watched = watch(&inner, entry.pulse().limits.write);
        Self { inner: Some(inner), entry, is_watched, stalled: None, ended: None, reserve }
    }

    fn pulse(&self) -> &Pulse {
        self.entry.pulse()
    }

    fn poll_inner<R>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(Pin<&mut T>, &mut Context<'_>) -> Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        if self.is_watched && self.entry.pulse().is_upgraded() {
            // How long its client may take is the other protocol's affair.
            self.is_watched = false;
            self.inner.iter().for_each(unwatch);
        }
        let Some(inner) = &mut self.inner else { return Poll::Ready(Err(ErrorKind::NotConnected.into())) };
        poll(Pin::new(inner), cx)
    }

    /// Polls something that waits for the client to take bytes, until it has taken none for too long.
    fn poll_taken<R>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(Pin<&mut T>, &mut Context<'_>) -> Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        let polled = self.poll_inner(cx, poll);
        match &polled {
            Poll::Pending if self.is_watched || self.pulse().is_upgraded() => {}
            Poll::Pending => {
                let limit = self.pulse().limits.write;
                let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(limit)));
                ready!(stalled.as_mut().poll(cx));
                self.pulse().ends_for(Reason::Write);
                return Poll::Ready(Err(ErrorKind::TimedOut.into()));
            }
            Poll::Ready(result) => {
                self.stalled = None;
                self.note(result);
            }
        }
        polled
    }

    /// The kernel tells by whatever comes next, a read as well, that it has given up the client.
    fn note<R>(&self, result: &io::Result<R>) {
        if result.as_ref().is_err_and(|error| error.kind() == ErrorKind::TimedOut) {
            self.pulse().ends_for(Reason::Write);
        }
    }

    /// The client sends no more. While it is answered that is kept back for a while, and for as long as the application has
    /// something to write: it may wait for the answer. One that has left resets the connection when that is written.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let pulse = self.entry.pulse();
        let half_closed = match pulse.phase() {
            Phase::Answering(Kind::App) => pulse.limits.half_closed,
            Phase::Answering(Kind::Probe) => PROBE,
            Phase::Head | Phase::Idle | Phase::Upgraded => return Poll::Ready(Ok(())),
        };
        let ended = self.ended.get_or_insert_with(|| Box::pin(sleep(half_closed)));
        // It says the same each time that it is asked again.
        if ended.deadline() > Instant::now() {
            ready!(ended.as_mut().poll(cx));
        }
        if pulse.ended_beside_a_wait() { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> AsyncRead for Socket<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ended.is_some() {
            return self.poll_end(cx);
        }
        let (before, has_room) = (buffer.filled().len(), buffer.remaining() > 0);
        let read = ready!(self.poll_inner(cx, |inner, cx| inner.poll_read(cx, buffer)));
        self.note(&read);
        read?;
        if buffer.filled().len() > before {
            self.pulse().has_read();
        } else if has_room {
            return self.poll_end(cx);
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> AsyncWrite for Socket<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_taken(cx, |inner, cx| inner.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_taken(cx, |inner, cx| inner.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }

    /// hyper flushes once it has written all that it has, so that an answer which has ended is with the kernel then.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_taken(cx, T::poll_flush))?;
        self.pulse().has_flushed();
        if self.ended.is_some() && !self.pulse().is_answering() {
            // The end that was kept back is to be read now.
            cx.waker().wake_by_ref();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_taken(cx, T::poll_shutdown)
    }
}

impl<T: Send + 'static> Drop for Socket<T> {
    fn drop(&mut self) {
        if let (Some(reserve), Some(inner)) = (&self.reserve, self.inner.take())
            && let Ok(connection) = into::<TcpStream, T>(inner)
        {
            reserve.keep(connection);
        }
    }
}

/// The value as what it is, if it is that.
pub(super) fn into<T: 'static, U: 'static>(value: U) -> Result<T, U> {
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
fn watch<T: 'static>(connection: &T, limit: Duration) -> bool {
    let limit = u32::try_from(limit.as_millis()).unwrap_or(u32::MAX).clamp(1, i32::MAX.unsigned_abs());
    set_user_timeout(connection, limit)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn unwatch<T: 'static>(connection: &T) {
    // Zero is what the system does by itself.
    set_user_timeout(connection, 0);
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn set_user_timeout<T: 'static>(connection: &T, milliseconds: u32) -> bool {
    let connection = (connection as &dyn Any).downcast_ref::<TcpStream>();
    connection.is_some_and(|tcp| rustix::net::sockopt::set_tcp_user_timeout(tcp, milliseconds).is_ok())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn watch<T>(_: &T, _: Duration) -> bool {
    false
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn unwatch<T>(_: &T) {}
