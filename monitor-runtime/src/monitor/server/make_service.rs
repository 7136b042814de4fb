//! The services of an application: one for all connections, or one for each connection.

use std::any::Any;
use std::convert::Infallible;
use std::fmt;
use std::future::{Ready, poll_fn, ready};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::Request;
use axum::extract::connect_info::Connected;
use axum::response::Response;
use axum::routing::{IntoMakeService, MethodRouter};
use axum::serve::Listener;
use tokio::sync::Mutex as AsyncMutex;
use tower_layer::Layer as _;
use tower_service::Service;

use crate::http::HttpLayer;

/// A connection that a listener has accepted, as [`Monitor::serve`](crate::Monitor::serve) passes it to a make-service.
///
/// It is the counterpart of [`axum::serve::IncomingStream`], which only axum can make.
#[derive(Debug)]
pub struct IncomingConnection<'a, L: Listener> {
    io: &'a L::Io,
    remote_addr: &'a L::Addr,
}

impl<L: Listener> IncomingConnection<'_, L> {
    /// Returns the connection.
    pub fn io(&self) -> &L::Io {
        self.io
    }

    /// Returns the address of the client.
    pub fn remote_addr(&self) -> &L::Addr {
        self.remote_addr
    }
}

impl<L: Listener<Addr = SocketAddr>> Connected<IncomingConnection<'_, L>> for SocketAddr {
    fn connect_info(stream: IncomingConnection<'_, L>) -> Self {
        *stream.remote_addr
    }
}

#[cfg(unix)]
impl<L> Connected<IncomingConnection<'_, L>> for tokio::net::unix::SocketAddr
where
    L: Listener<Addr = Self>,
{
    fn connect_info(stream: IncomingConnection<'_, L>) -> Self {
        stream.remote_addr.clone()
    }
}

/// A router serves every connection.
impl<L: Listener> Service<IncomingConnection<'_, L>> for Router<()> {
    type Response = Self;
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: IncomingConnection<'_, L>) -> Self::Future {
        ready(Ok(self.clone()))
    }
}

/// A method router serves every connection.
impl<L: Listener> Service<IncomingConnection<'_, L>> for MethodRouter<()> {
    type Response = Self;
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: IncomingConnection<'_, L>) -> Self::Future {
        ready(Ok(self.clone()))
    }
}

/// The application of a server.
pub(in crate::monitor) enum App<M> {
    /// One complete router for all connections.
    Shared(Router),
    /// A service for each connection, made by `make_service`.
    Each {
        make_service: Arc<AsyncMutex<M>>,
        /// The monitor's routes, which precede each service.
        routes: Router,
        layer: HttpLayer,
    },
}

impl<M> Clone for App<M> {
    fn clone(&self) -> Self {
        match self {
            Self::Shared(router) => Self::Shared(router.clone()),
            Self::Each { make_service, routes, layer } => Self::Each {
                make_service: Arc::clone(make_service),
                routes: routes.clone(),
                layer: layer.clone(),
            },
        }
    }
}

impl<M> App<M> {
    /// Puts `routes` in front of the application, and `layer` around it.
    pub(in crate::monitor) async fn new(make_service: M, routes: Router, layer: HttpLayer) -> Self
    where
        M: 'static,
    {
        match shared_router(make_service).await {
            // Added to the router itself, the layer sees which route has matched.
            Ok(app) => Self::Shared(routes.fallback_service(app.layer(layer))),
            Err(make_service) => {
                Self::Each { make_service: Arc::new(AsyncMutex::new(make_service)), routes, layer }
            }
        }
    }

    /// Returns the router for one connection, and the connection.
    pub(super) async fn router<L, S>(&self, io: L::Io, remote_addr: &L::Addr) -> (Router, L::Io)
    where
        L: Listener,
        L::Addr: Sync,
        M: for<'a> Service<IncomingConnection<'a, L>, Response = S, Error = Infallible>,
        S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send,
    {
        let (make_service, routes, layer) = match self {
            Self::Shared(router) => return (router.clone(), io),
            Self::Each { make_service, routes, layer } => (make_service, routes, layer),
        };
        let mut make_service = make_service.lock().await;
        let Ok(()) = poll_fn(|cx| make_service.poll_ready(cx)).await;
        // Only the future holds the reference, so the connection need not be `Sync`.
        let made = make_service.call(IncomingConnection { io: &io, remote_addr });
        drop(make_service);
        let Ok(service) = made.await;
        let service = layer.layer(Unshared(Mutex::new(service)));
        (routes.clone().fallback_service(service), io)
    }
}

/// Returns the router of a make-service that gives the same one to every connection, or the make-service of another
/// kind.
async fn shared_router<M: 'static>(make_service: M) -> Result<Router, M> {
    let mut make_service = Some(make_service);
    let any = &mut make_service as &mut dyn Any;
    if let Some(router) = any.downcast_mut::<Option<Router>>().and_then(Option::take) {
        return Ok(router);
    }
    if let Some(mut shared) = any.downcast_mut::<Option<IntoMakeService<Router>>>().and_then(Option::take) {
        let Ok(router) = shared.call(()).await;
        return Ok(router);
    }
    let Some(make_service) = make_service else { unreachable!("it is taken in a branch that returns") };
    Err(make_service)
}

/// A service that is `Sync`, as a router requires, even if the inner one is not.
struct Unshared<S>(Mutex<S>);

impl<S: Clone> Clone for Unshared<S> {
    fn clone(&self) -> Self {
        Self(Mutex::new(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()))
    }
}

impl<S> fmt::Debug for Unshared<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unshared")
    }
}

impl<S: Service<Request>> Service<Request> for Unshared<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner).poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner).call(request)
    }
}
