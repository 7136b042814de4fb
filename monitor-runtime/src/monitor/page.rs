//! The routes of the live page on the admin listener: its files, and the sign-in of a browser.
//!
//! The files tell nothing of the process, so they need no token; the API behind them does.

use std::sync::Arc;

use ::http::header::{CACHE_CONTROL, HOST, ORIGIN, SET_COOKIE};
use ::http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::map_response;
use axum::routing::any;
use bytes::Bytes;

use super::endpoints::Endpoints;
use super::endpoints::bearer::BearerAuth;
use super::endpoints::session::SignIn;
use super::runs_api::{Refusal, guard};
use crate::dashboard::{asset, page, secure};

/// The root of all paths.
const ROOT: &str = "/monitor";

/// The longest form of a sign-in, in bytes.
const LONGEST_FORM: usize = 4_096;

#[derive(Clone)]
struct Page {
    endpoints: Arc<Endpoints>,
    /// Whether only this machine reaches the listener.
    is_loopback: bool,
}

/// The routes of the page, and those of the API, all with the headers that keep other sites out.
pub(super) fn routes(endpoints: &Arc<Endpoints>, is_loopback: bool, api: Router) -> Router {
    let answered = any(async |State(page): State<Page>, request: Request| page.answer(request).await);
    let page = Page { endpoints: Arc::clone(endpoints), is_loopback };
    let routes = ["/monitor", "/monitor/", "/monitor/{*path}"];
    let routes = routes.iter().fold(Router::new(), |routes, path| routes.route(path, answered.clone()));
    let secured = map_response(async |mut response: Response<Body>| {
        secure(response.headers_mut());
        response
    });
    routes.with_state(page).merge(api).layer(secured)
}

impl Page {
    async fn answer(&self, request: Request) -> Response<Body> {
        let answer = match self.admit(&request) {
            Ok(()) => self.answer_admitted(request).await,
            Err(refusal) => Err(refusal),
        };
        answer.unwrap_or_else(Refusal::into_response).map(Body::from)
    }

    /// Refuses what a page of another site sent, unless a person followed a link to the page itself: that shows files
    /// that are everybody's, and cannot be framed.
    fn admit(&self, request: &Request) -> Result<(), Refusal> {
        let headers = request.headers();
        guard::check_place(guard::Gate::of(&self.endpoints, self.is_loopback), headers)?;
        if is_followed_link(request.method(), headers) { Ok(()) } else { guard::check_site(headers) }
    }

    async fn answer_admitted(&self, request: Request) -> Result<Response<Bytes>, Refusal> {
        let path = request.uri().path().strip_prefix(ROOT).unwrap_or_default();
        let path = path.trim_start_matches('/').to_owned();
        match &*path {
            "login" => return self.sign_in(request).await,
            "logout" => return sign_out(&request),
            _ if path == "api" || path.starts_with("api/") => {
                return Err(Refusal::new(
                    StatusCode::NOT_FOUND,
                    "no such route; the API is below /monitor/api/v1",
                ));
            }
            _ => {}
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Err(Refusal::method("expected GET or HEAD", "GET,HEAD"));
        }
        let Some(file) = path.strip_prefix("assets/") else { return Ok(page(request.headers())) };
        let missing = || Refusal::new(StatusCode::NOT_FOUND, "the page has no such file");
        asset(file, request.headers()).ok_or_else(missing)
    }

    /// Answers the form of a sign-in with a cookie.
    async fn sign_in(&self, request: Request) -> Result<Response<Bytes>, Refusal> {
        check_form(&request)?;
        let unreadable = |_| Refusal::bad("expected a form with the token");
        let form = to_bytes(request.into_body(), LONGEST_FORM).await.map_err(unreadable)?;
        let given = form_urlencoded::parse(&form).find(|(name, _)| name == "token");
        let Some((_, given)) = given else { return Err(Refusal::bad("expected a form with the token")) };
        match self.endpoints.bearer.sign_in(&given) {
            SignIn::Admitted(cookie) => Ok(with_cookie(&cookie)),
            SignIn::Wrong => Err(Refusal::new(StatusCode::FORBIDDEN, "this is not the token")),
            SignIn::TooMany => {
                Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too many wrong tokens; wait a second"))
            }
            SignIn::NoKey => {
                let text = "the system has no randomness for a key, so nobody can sign in; send the header \
                            `authorization: Bearer <token>`";
                Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, text))
            }
        }
    }
}

fn sign_out(request: &Request) -> Result<Response<Bytes>, Refusal> {
    check_form(request)?;
    Ok(with_cookie(&BearerAuth::sign_out()))
}

fn with_cookie(cookie: &str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        headers.insert(SET_COOKIE, cookie);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Accepts forms of our own pages only. Browsers name the origin of every `POST`.
fn check_form(request: &Request) -> Result<(), Refusal> {
    if *request.method() != Method::POST {
        return Err(Refusal::method("expected POST", "POST"));
    }
    let headers = request.headers();
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let is_own = |origin: &HeaderValue| {
        origin.to_str().ok().and_then(|origin| origin.split_once("://")).is_some_and(|(_, name)| name == host)
    };
    if headers.get_all(ORIGIN).iter().all(is_own) {
        Ok(())
    } else {
        Err(Refusal::new(StatusCode::FORBIDDEN, "the request comes from a page of another site"))
    }
}

/// Whether a browser opens the answer as a page of its own: <https://www.w3.org/TR/fetch-metadata/#sec-fetch-dest-header>.
fn is_followed_link(method: &Method, headers: &HeaderMap) -> bool {
    let is = |name, value| headers.get(name).is_some_and(|given: &HeaderValue| given == value);
    *method == Method::GET && is("sec-fetch-mode", "navigate") && is("sec-fetch-dest", "document")
}
