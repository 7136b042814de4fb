//! The routes of the live page: its files, and the sign-in of a browser.
//!
//! The files tell nothing of the process, so they need no token; the API behind them does.

use std::sync::Arc;
use std::time::Duration;

use ::http::header::{CACHE_CONTROL, ORIGIN, SET_COOKIE};
use ::http::request::Parts;
use ::http::{Extensions, HeaderMap, HeaderValue, Method, Response, StatusCode};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{NestedPath, Request, State};
use axum::middleware::{map_request, map_response};
use axum::routing::any;
use bytes::Bytes;
use tokio::time::timeout;

use super::endpoints::Endpoints;
use super::endpoints::guesses::HeldBack;
use super::endpoints::routes::{below, left_out};
use super::endpoints::session::{Scope, SignIn};
use super::names;
use super::runs_api::guard::Reach;
use super::runs_api::instances::{own_identity, unknown};
use super::runs_api::{self, Refusal, guard};
use crate::dashboard::{ROOT, asset, page, secure};

/// The longest form of a sign-in, in bytes.
const LONGEST_FORM: usize = 4_096;

/// How long a client may take to send it.
const LONGEST_SEND: Duration = Duration::from_secs(2);

#[derive(Clone)]
struct Page {
    endpoints: Arc<Endpoints>,
    reach: Reach,
}

/// The routes of the page, and those of the API, all with the headers that keep other sites out.
pub(super) fn routes(endpoints: &Arc<Endpoints>, reach: Reach, api: Router) -> Router {
    let answered = any(async |State(page): State<Page>, request: Request| page.answer(request).await);
    let page = Page { endpoints: Arc::clone(endpoints), reach };
    let routes = ["/monitor", "/monitor/", "/monitor/{*path}"];
    let routes = routes.iter().fold(Router::new(), |routes, path| routes.route(path, answered.clone()));
    let secured = map_response(async |mut response: Response<Body>| {
        secure(response.headers_mut());
        response
    });
    routes.with_state(page).merge(api).layer(secured)
}

/// The routes of the page and of its API on the application's own listener, if they are to be there.
pub(super) fn main_routes<S>(endpoints: &Arc<Endpoints>) -> Option<Router<S>>
where
    S: Clone + Send + Sync + 'static,
{
    endpoints.dashboard.as_ref().filter(|dashboard| dashboard.is_on_main_port)?;
    let reach = Reach::Others;
    let routes = routes(endpoints, reach, runs_api::routes(endpoints, reach));
    let routes = routes.layer(map_request(left_out)).with_state(());
    Some(below(&endpoints.base_path, routes))
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
        guard::check_place(self.gate(), request.uri(), headers)?;
        if is_followed_link(request.method(), headers) { Ok(()) } else { guard::check_site(headers) }
    }

    async fn answer_admitted(&self, request: Request) -> Result<Response<Bytes>, Refusal> {
        let path = request.uri().path().strip_prefix(ROOT).unwrap_or_default();
        let path = path.trim_start_matches('/').to_owned();
        if let Some(rest) = path.strip_prefix("i/") {
            return self.show_instance(&request.into_parts().0, rest).await;
        }
        match &*path {
            "login" => return self.sign_in(request).await,
            "logout" => return self.sign_out(&request),
            _ if path == "api" || path.starts_with("api/") => {
                return Err(Refusal::new(
                    StatusCode::NOT_FOUND,
                    "no such route; the API is below /monitor/api/v1",
                ));
            }
            _ => {}
        }
        let root = root_of(request.extensions());
        show(&request.into_parts().0, &root, &path)
    }

    /// Shows the page of another instance. Its files are those of this process; what they ask for is passed on by the API.
    async fn show_instance(&self, head: &Parts, rest: &str) -> Result<Response<Bytes>, Refusal> {
        let (instance, path) = rest.split_once('/').unwrap_or((rest, ""));
        let name = percent_decoded(instance).ok_or_else(|| unknown(instance))?;
        // Whether there is such an instance is told to those only who may know.
        let may_know = self.endpoints.bearer.admits_signed_in(&head.headers);
        if may_know && !path.starts_with("assets/") {
            let found = match &self.endpoints.fleet {
                Some(fleet) => fleet.find(&name, &own_identity()).await,
                None => None,
            };
            found.ok_or_else(|| unknown(&name))?;
        }
        let first = path.split('/').next();
        if matches!(first, Some("i" | "api" | "login" | "logout")) {
            let text = "no such route; of another instance there are the page, and what its API tells below \
                        /monitor/i/{instance}/api/v1";
            return Err(Refusal::new(StatusCode::NOT_FOUND, text));
        }
        show(head, &format!("{}/i/{instance}", root_of(&head.extensions)), path)
    }

    /// Answers the form of a sign-in with a cookie.
    async fn sign_in(&self, request: Request) -> Result<Response<Bytes>, Refusal> {
        self.check_form(&request)?;
        let root = root_of(request.extensions());
        let holding = HeldBack::begin(request.extensions());
        let unreadable = |_| Refusal::bad("expected a form with the token");
        let late = |_| Refusal::new(StatusCode::REQUEST_TIMEOUT, "the form did not come in time");
        let form = timeout(LONGEST_SEND, to_bytes(request.into_body(), LONGEST_FORM)).await.map_err(late)?;
        let form = form.map_err(unreadable)?;
        let given = form_urlencoded::parse(&form).find(|(name, _)| name == "token");
        let Some((_, given)) = given else { return Err(Refusal::bad("expected a form with the token")) };
        match self.endpoints.bearer.sign_in(&given, &self.scope(&root)) {
            SignIn::Admitted(cookie) => Ok(with_cookie(&cookie)),
            SignIn::Wrong => {
                self.endpoints.bearer.slow_down_sign_in(holding).await;
                Err(Refusal::new(StatusCode::FORBIDDEN, "this is not the token"))
            }
            SignIn::NoKey => {
                let text = "the system has no randomness for a key, so nobody can sign in; send the header \
                            `authorization: Bearer <token>`";
                Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, text))
            }
        }
    }

    fn sign_out(&self, request: &Request) -> Result<Response<Bytes>, Refusal> {
        self.check_form(request)?;
        Ok(with_cookie(&self.endpoints.bearer.sign_out(&self.scope(&root_of(request.extensions())))))
    }

    fn gate(&self) -> guard::Gate<'_> {
        guard::Gate::of(&self.endpoints, self.reach)
    }

    /// Accepts forms of our own pages only. Browsers name the origin of every `POST`; a proxy may have changed the host.
    fn check_form(&self, request: &Request) -> Result<(), Refusal> {
        if *request.method() != Method::POST {
            return Err(Refusal::method("expected POST", "POST"));
        }
        let headers = request.headers();
        let host = guard::host_of(request.uri(), headers).unwrap_or_default();
        let names = self.gate().hosts;
        let is_own = |origin: &HeaderValue| {
            let name = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, name)| name);
            name.is_some_and(|name| name == host || names.iter().any(|own| name == own))
        };
        if headers.get_all(ORIGIN).iter().all(is_own) {
            Ok(())
        } else {
            Err(Refusal::new(StatusCode::FORBIDDEN, "the request comes from a page of another site"))
        }
    }

    /// The requests that a cookie is for.
    fn scope<'s>(&self, root: &'s str) -> Scope<'s> {
        let is_https = self.endpoints.dashboard.as_ref().is_some_and(|dashboard| dashboard.is_https);
        Scope { path: root, is_https }
    }
}

/// Shows the page with this root, or one of its files.
fn show(head: &Parts, root: &str, path: &str) -> Result<Response<Bytes>, Refusal> {
    if !matches!(head.method, Method::GET | Method::HEAD) {
        return Err(Refusal::method("expected GET or HEAD", "GET,HEAD"));
    }
    let Some(file) = path.strip_prefix("assets/") else { return Ok(page(root, &head.headers)) };
    let missing = || Refusal::new(StatusCode::NOT_FOUND, "the page has no such file");
    asset(file, &head.headers).ok_or_else(missing)
}

/// The segment of a path as text, if it is one that an instance may have.
fn percent_decoded(segment: &str) -> Option<String> {
    // Other characters could leave the attributes of the page that its root is written into.
    let is_of_root = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:[]%".contains(&byte);
    let is_root = !segment.is_empty() && segment.bytes().all(is_of_root);
    // A `+` is no space in a path, and none is left here.
    let (decoded, _) = form_urlencoded::parse(segment.as_bytes()).next().filter(|_| is_root)?;
    Some(decoded.into_owned())
}

/// The path of the page for browsers, which may be below prefixes of the application.
fn root_of(extensions: &Extensions) -> String {
    let prefix = extensions.get::<NestedPath>().map_or("", NestedPath::as_str);
    let root = format!("{prefix}{ROOT}");
    // Other characters could end an attribute, of the cookie or of the HTML.
    if names::is_base_path(&root) { root } else { ROOT.to_owned() }
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

/// Whether a browser opens the answer as a page of its own: <https://www.w3.org/TR/fetch-metadata/#sec-fetch-dest-header>.
fn is_followed_link(method: &Method, headers: &HeaderMap) -> bool {
    let is = |name, value| headers.get(name).is_some_and(|given: &HeaderValue| given == value);
    *method == Method::GET && is("sec-fetch-mode", "navigate") && is("sec-fetch-dest", "document")
}
