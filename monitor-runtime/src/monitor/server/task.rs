//! The task of one connection.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::Request;
use axum::response::Response;
use axum::serve::Listener;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::time::{Instant, Sleep, sleep_until};
use tower_service::Service;

use super::connection_state::Step;
use super::connections::ConnectionSlot;
use super::descriptors::Reserve;
use super::make_service::{App, IncomingConnection};
use super::request::ConnectionService;
use super::socket::Socket;
use crate::monitor::endpoints::Endpoints;

/// The state that all connections of a server share.
pub(super) struct ServerContext<M> {
    pub(super) app: App<M>,
    pub(super) endpoints: Arc<Endpoints>,
    pub(super) reserve: Option<Arc<Reserve>>,
}

impl<M> Clone for ServerContext<M> {
    fn clone(&self) -> Self {
        let Self { app, endpoints, reserve } = self;
        Self { app: app.clone(), endpoints: Arc::clone(endpoints), reserve: reserve.clone() }
    }
}

/// Serves the requests of a connection until it ends or is told to end.
pub(super) async fn run<L, M, S>(context: ServerContext<M>, slot: ConnectionSlot, io: L::Io, client: L::Addr)
where
    L: Listener,
    L::Addr: Clone + Sync + 'static,
    M: for<'a> Service<IncomingConnection<'a, L>, Response = S, Error = Infallible> + Send + 'static,
    for<'a> <M as Service<IncomingConnection<'a, L>>>::Future: Send,
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    let state = Arc::clone(slot.state());
    let ServerContext { app, endpoints, reserve } = context;
    let (router, io) = app.router::<L, S>(io, &client).await;
    let service = ConnectionService { router, client, state: Arc::clone(&state), endpoints };
    let mut builder = Builder::new(TokioExecutor::new());
    // `ConnectionState` applies the limits. hyper's own timeout would count the idle time between two requests as part
    // of a head.
    builder.http1().header_read_timeout(None);
    let io = TokioIo::new(Socket::new(io, slot, reserve));
    let mut connection = pin!(builder.serve_connection_with_upgrades(io, service));
    let (mut alarm, mut is_finishing) = (Alarm::default(), false);
    poll_fn(|cx| {
        loop {
            match state.step(cx) {
                Step::Close => return Poll::Ready(()),
                Step::Freeze => return Poll::Pending,
                Step::GoOn { finish, .. } if finish && !is_finishing => {
                    is_finishing = true;
                    connection.as_mut().graceful_shutdown();
                }
                Step::GoOn { .. } => {}
            }
            // An error is either the client's fault, or was noted where it occurred.
            if connection.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            match state.step(cx) {
                Step::GoOn { finish, until } if finish <= is_finishing => {
                    if !alarm.is_over(until, cx) {
                        return Poll::Pending;
                    }
                }
                Step::Freeze => return Poll::Pending,
                Step::GoOn { .. } | Step::Close => {}
            }
        }
    })
    .await;
}

/// A timer that is reset only if it would fire too late. If it fires early, the caller just checks again; that is
/// cheaper than a reset for each deadline.
#[derive(Default)]
struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Whether the deadline has passed, or the timer fired early; wakes the task when it does.
    fn is_over(&mut self, until: Option<std::time::Instant>, cx: &mut Context<'_>) -> bool {
        let Some(until) = until.map(Instant::from_std) else { return false };
        let alarm = self.0.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if alarm.deadline() > until || alarm.is_elapsed() {
            alarm.as_mut().reset(until);
        }
        alarm.as_mut().poll(cx).is_ready()
    }
}
