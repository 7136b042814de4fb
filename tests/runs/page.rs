//! The live page as a client without a browser sees it: its files, its guards, its stream.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use monitor_runtime::{BuildError, Dashboard, Monitor, MonitorBuilder, run, track_agent, track_skill};
use serde_json::Value;
use tokio::sync::oneshot;
use tower::ServiceExt as _;

const SCREENS: [&str; 10] = [
    "/monitor",
    "/monitor/",
    "/monitor/runs",
    "/monitor/runs/7",
    "/monitor/calls",
    "/monitor/calls/agent/x",
    "/monitor/health",
    "/monitor/logs",
    "/monitor/about",
    "/monitor/no/such/page",
];

/// An answer: its status, its head in lower case, its body.
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub(crate) fn error(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap();
        body["error"].as_str().unwrap().to_owned()
    }
}

fn connect(monitor: &Monitor) -> TcpStream {
    let connection = TcpStream::connect(monitor.admin_address().unwrap()).unwrap();
    connection.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    connection
}

pub(crate) fn send(monitor: &Monitor, method: &str, path: &str, head: &str, body: &str) -> Answer {
    let mut connection = connect(monitor);
    let length = body.len();
    // HTTP/1.0 has no chunks.
    write!(connection, "{method} {path} HTTP/1.0\r\ncontent-length: {length}\r\n{head}\r\n{body}").unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    let head = std::str::from_utf8(&answer[..end]).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: lower_names(head), body: answer[end + 4..].to_vec() }
}

/// The head with its names in lower case.
fn lower_names(head: &str) -> String {
    let lines = head.lines().map(|line| match line.split_once(": ") {
        Some((name, value)) => format!("{}: {value}", name.to_lowercase()),
        None => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

pub(crate) const HOST: &str = "host: localhost\r\n";

pub(crate) fn get(monitor: &Monitor, path: &str) -> Answer {
    send(monitor, "GET", path, HOST, "")
}

pub(crate) fn builder() -> MonitorBuilder {
    Monitor::builder().admin_port(0).dashboard(Dashboard::new())
}

fn monitor() -> Monitor {
    builder().build().unwrap()
}

#[track_skill("page_step")]
fn step() {}

#[track_agent("page_waits")]
async fn wait(steps: u32, gate: oneshot::Receiver<()>) {
    (0..steps).for_each(|_| step());
    gate.await.unwrap();
}

#[track_agent("page_fails")]
fn fail(text: &str) -> Result<(), String> {
    Err(text.to_owned())
}

/// A run that goes on until its gate opens.
fn start(steps: u32) -> (oneshot::Sender<()>, thread::JoinHandle<()>) {
    let (open, gate) = oneshot::channel();
    let running = thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(wait(steps, gate));
    });
    (open, running)
}

#[test]
fn every_screen_is_the_same_file_under_a_strict_policy() {
    let monitor = monitor();
    assert_eq!(
        monitor.dashboard_url(),
        Some(format!("http://{}/monitor/", monitor.admin_address().unwrap()))
    );
    let first = get(&monitor, "/monitor/").body;
    assert!(first.starts_with(b"<!doctype html>"));
    for path in SCREENS {
        let screen = get(&monitor, path);
        assert_eq!((screen.status, screen.body == first), (200, true), "{path}");
    }
    for path in [
        "/monitor/",
        "/monitor/assets/app.js",
        "/monitor/api/v1/now",
        "/monitor/api/v1/nothing",
        "/monitor/login",
    ] {
        let answer = get(&monitor, path);
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{path}: {policy}");
        assert!(
            policy.ends_with("require-trusted-types-for 'script'; trusted-types 'none'"),
            "{path}: {policy}"
        );
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}");
        }
    }
}

#[test]
fn files_are_asked_for_again_by_their_tags() {
    let monitor = monitor();
    let first = get(&monitor, "/monitor/assets/app.js");
    let tag = first.header("etag").unwrap().to_owned();
    assert_eq!((first.status, first.header("cache-control")), (200, Some("no-cache")));
    assert_eq!(first.header("content-type"), Some("text/javascript; charset=utf-8"));
    let again = format!("{HOST}if-none-match: {tag}\r\n");
    let again = send(&monitor, "GET", "/monitor/assets/app.js", &again, "");
    assert_eq!((again.status, again.body.len()), (304, 0));
    let packed = format!("{HOST}accept-encoding: gzip\r\nif-none-match: {tag}\r\n");
    let packed = send(&monitor, "GET", "/monitor/assets/app.js", &packed, "");
    assert_eq!((packed.status, packed.header("content-encoding")), (200, Some("gzip")));
    assert!(packed.body.len() < first.body.len());
}

#[test]
fn unknown_paths_of_the_api_and_unknown_files_are_json() {
    let monitor = monitor();
    for path in [
        "/monitor/api",
        "/monitor/api/",
        "/monitor/api/v2/now",
        "/monitor/api/v1/nothing",
        "/monitor/assets/x.js",
    ] {
        let answer = get(&monitor, path);
        assert_eq!((answer.status, answer.header("content-type")), (404, Some("application/json")), "{path}");
        assert!(answer.error().starts_with("no such route") || answer.error() == "the page has no such file");
    }
    let posted = send(&monitor, "POST", "/monitor/runs", HOST, "");
    assert_eq!((posted.status, posted.header("allow")), (405, Some("GET,HEAD")));
    assert_eq!(get(&monitor, "/monitor/login").status, 405);
}

#[test]
fn pages_of_other_sites_get_no_answer() {
    let monitor = monitor();
    let rest = ["/monitor/assets/app.js", "/monitor/login", "/monitor/api/v1/now", "/monitor/api/v1/stream"];
    for path in SCREENS.into_iter().chain(rest) {
        let status = |head: &str| send(&monitor, "GET", path, head, "").status;
        assert_eq!(status("host: evil.example\r\n"), 421, "{path}");
        assert_eq!(status(&format!("{HOST}sec-fetch-site: cross-site\r\n")), 403, "{path}");
        assert_eq!(status(&format!("{HOST}sec-fetch-site: same-site\r\n")), 403, "{path}");
    }
    // A link to the page from elsewhere, for example from a chat, may be followed. It shows files that are everybody's.
    let link = format!(
        "{HOST}sec-fetch-site: cross-site\r\nsec-fetch-mode: navigate\r\nsec-fetch-dest: document\r\n"
    );
    assert_eq!(send(&monitor, "GET", "/monitor/runs", &link, "").status, 200);
    assert_eq!(send(&monitor, "GET", "/monitor/api/v1/now", &link, "").status, 403);
    let frame = link.replace("document", "iframe");
    assert_eq!(send(&monitor, "GET", "/monitor/runs", &frame, "").status, 403);
}

#[test]
fn other_machines_see_the_page_with_a_token_only() {
    let address = ([0, 0, 0, 0], 0);
    let open = Monitor::builder().admin_address(address).dashboard(Dashboard::new()).build().unwrap();
    let named = Monitor::builder()
        .admin_address(address)
        .bearer_token("s3cret")
        .dashboard(Dashboard::new().host("Ops.example.com"))
        .build()
        .unwrap();
    for path in ["/monitor/", "/monitor/assets/app.js", "/monitor/login", "/monitor/api/v1/stream"] {
        let answer = get(&open, path);
        assert_eq!(answer.status, 403, "{path}");
        assert!(answer.error().contains("`bearer_token`"), "{path}: {}", answer.error());
    }
    assert_eq!([get(&open, "/health/live").status, get(&open, "/health/metrics").status], [200; 2]);
    assert_eq!(get(&named, "/monitor/").status, 200);
    assert_eq!(send(&named, "GET", "/monitor/", "host: ops.example.com:8081\r\n", "").status, 200);
    assert_eq!(send(&named, "GET", "/monitor/", "host: other.example.com\r\n", "").status, 421);
    let port = named.admin_address().unwrap().port();
    assert_eq!(named.dashboard_url(), Some(format!("http://127.0.0.1:{port}/monitor/")));
}

#[test]
fn a_page_without_a_listener_is_refused() {
    let refused = Monitor::builder().dashboard(Dashboard::new()).build().unwrap_err();
    assert!(matches!(refused, BuildError::DashboardListener), "{refused}");
    let refused = builder().dashboard(Dashboard::new().memory(1)).build().unwrap_err();
    assert!(refused.to_string().contains("give it at least"), "{refused}");
    for host in ["https://ops.example.com", "ops:8443", ""] {
        let refused =
            Monitor::builder().admin_port(0).dashboard(Dashboard::new().host(host)).build().unwrap_err();
        assert!(matches!(&refused, BuildError::DashboardHost { name } if name == host), "{refused}");
    }
}

#[test]
fn a_browser_signs_in_by_a_cookie() {
    let monitor = builder().bearer_token("s3cret").build().unwrap();
    let now = |head: &str| send(&monitor, "GET", "/monitor/api/v1/now", &format!("{HOST}{head}"), "").status;
    let login =
        |head: &str, form: &str| send(&monitor, "POST", "/monitor/login", &format!("{HOST}{head}"), form);
    assert_eq!(get(&monitor, "/monitor/").status, 200, "the files are everybody's");
    assert_eq!(now(""), 401);
    let admitted = login("origin: http://localhost\r\n", "token=s3cret");
    assert_eq!(admitted.status, 204);
    let cookie = admitted.header("set-cookie").unwrap();
    assert!(cookie.ends_with("; Path=/monitor; Max-Age=43200; HttpOnly; SameSite=Strict"), "{cookie}");
    let pair = cookie.split(';').next().unwrap();
    assert_eq!(now(&format!("cookie: a=b; {pair}\r\n")), 200);
    assert_eq!(now(&format!("cookie: {pair}0\r\n")), 401);
    let metrics = send(&monitor, "GET", "/health/metrics", &format!("{HOST}cookie: {pair}\r\n"), "");
    assert_eq!(metrics.status, 401, "the cookie is for the page");
    assert_eq!(login("origin: http://evil.example\r\n", "token=s3cret").status, 403);
    assert_eq!(login("sec-fetch-site: cross-site\r\n", "token=s3cret").status, 403);
    assert_eq!(login("", "user=me").status, 400);
    let out = send(&monitor, "POST", "/monitor/logout", HOST, "");
    assert_eq!(out.status, 204);
    let name = pair.split('=').next().unwrap();
    assert!(out.header("set-cookie").unwrap().starts_with(&format!("{name}=; Path=/monitor; Max-Age=0;")));
    let answers: Vec<_> = (0..8).map(|_| login("", "token=wrong").status).collect();
    assert_eq!(answers, [403; 8]);
    let wrong = "authorization: Bearer wrong\r\n";
    assert_eq!([now(wrong), now(wrong)], [401; 2]);
    assert_eq!(login("", "token=s3cret").status, 204, "nobody is locked out");
}

#[test]
fn browsers_stay_signed_in_to_several_processes_of_a_host() {
    let both = [(); 2].map(|()| builder().bearer_token("s3cret").build().unwrap());
    let cookies = both.each_ref().map(|monitor| {
        let admitted = send(monitor, "POST", "/monitor/login", HOST, "token=s3cret");
        admitted.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
    });
    // A browser keeps one cookie of a name, and sends it to all ports of a host.
    assert_ne!(cookies[0].split('=').next(), cookies[1].split('=').next());
    let head = format!("{HOST}cookie: {}\r\n", cookies.join("; "));
    for monitor in &both {
        assert_eq!(send(monitor, "GET", "/monitor/api/v1/now", &head, "").status, 200);
    }
}

// The clock stands still but for the waits.
#[tokio::test(start_paused = true)]
async fn a_guesser_waits_and_others_do_not() {
    let page = Dashboard::new().on_main_port();
    let monitor = Monitor::builder().bearer_token("s3cret").dashboard(page).build().unwrap();
    let routes: Router = monitor.routes();
    let host = ("host", "localhost");
    let begun = tokio::time::Instant::now();
    let get = async |path: &str, head: &[(&str, &str)]| {
        let head: Vec<_> = [host].iter().chain(head).copied().collect();
        let before = begun.elapsed();
        let status = ask(&routes, "GET", path, &head, "").await.status;
        (status, begun.elapsed() > before)
    };
    let paths = [
        ("/monitor/api/v1/now", 401),
        ("/health/metrics", 401),
        ("/health/ready", 200),
        ("/health/ready/none", 404),
        ("/health/startup", 200),
    ];
    let before = begun.elapsed();
    for _ in 0..5 {
        assert_eq!(ask(&routes, "POST", "/monitor/login", &[host], "token=wrong").await.status, 403);
    }
    assert_eq!(begun.elapsed(), before, "five are answered at once");
    for (path, status) in paths {
        assert_eq!(get(path, &[("authorization", "Bearer wrong")]).await, (status, true), "{path}");
        // The next second begins with five wrong ones.
        for _ in 0..5 {
            get("/monitor/api/v1/now", &[("authorization", "Bearer wrong")]).await;
        }
        let expected = if status == 404 { 404 } else { 200 };
        assert_eq!(get(path, &[("authorization", "Bearer s3cret")]).await, (expected, false), "{path}");
        assert_eq!(get(path, &[]).await, (status, false), "{path}");
    }
    assert_eq!(get("/health/live", &[("authorization", "Bearer wrong")]).await, (200, false));
    let before = begun.elapsed();
    assert_eq!(ask(&routes, "POST", "/monitor/login", &[host], "token=wrong").await.status, 403);
    assert!(begun.elapsed() > before);
}

/// Sends requests that are not to be answered at once, each over a connection of its own.
fn hold(monitor: &Monitor, count: usize, request: &str) -> Vec<TcpStream> {
    let open = |_| {
        let mut connection = connect(monitor);
        connection.write_all(request.as_bytes()).unwrap();
        connection
    };
    (0..count).map(open).collect()
}

#[test]
fn waiting_clients_without_the_token_leave_room_for_probes() {
    let monitor = builder().bearer_token("s3cret").build().unwrap();
    let wrong = "authorization: Bearer wrong\r\n";
    let requests = [
        format!("POST /monitor/login HTTP/1.1\r\n{HOST}content-length: 10\r\n\r\n"),
        format!("GET /monitor/api/v1/now HTTP/1.1\r\n{HOST}{wrong}\r\n"),
        format!("GET /health/metrics HTTP/1.1\r\n{HOST}{wrong}\r\n"),
    ];
    for request in requests {
        // More than the 64 connections that the listener allows, for a few are answered at once.
        let held = hold(&monitor, 80, &request);
        assert_eq!(get(&monitor, "/health/live").status, 200, "{request}");
        drop(held);
    }
    let mut silent =
        hold(&monitor, 1, "POST /monitor/login HTTP/1.0\r\nhost: localhost\r\ncontent-length: 10\r\n\r\n");
    let mut answer = String::new();
    silent[0].read_to_string(&mut answer).unwrap();
    assert!(
        answer.contains(" 408 ") && answer.ends_with("{\"error\":\"the form did not come in time\"}"),
        "{answer}"
    );
}

/// Sends a request to the routes for the application's own listener.
pub(crate) async fn ask(
    routes: &Router,
    method: &str,
    path: &str,
    head: &[(&str, &str)],
    body: &str,
) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in head {
        request = request.header(*name, *value);
    }
    let response = routes.clone().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let head: Vec<_> =
        parts.headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    let body = to_bytes(body, usize::MAX).await.unwrap().to_vec();
    Answer { status: parts.status.as_u16(), head: head.join("\n"), body }
}

#[tokio::test]
async fn the_main_port_shows_the_page_behind_a_token() {
    let refused = Monitor::builder().dashboard(Dashboard::new().on_main_port()).build().unwrap_err();
    assert!(matches!(refused, BuildError::DashboardToken), "{refused}");
    assert!(refused.to_string().contains("`bearer_token`"), "{refused}");
    let page = Dashboard::new().on_main_port().https().host("agents.example.com");
    let monitor =
        Monitor::builder().base_path("/internal").bearer_token("s3cret").dashboard(page).build().unwrap();
    assert_eq!(monitor.dashboard_url(), None);
    let routes = Router::new().fallback(async || "app").layer(monitor.layer()).merge(monitor.routes());
    let host = ("host", "agents.example.com");
    for path in ["/internal/monitor/", "/internal/monitor/runs/7", "/internal/monitor/assets/app.js"] {
        assert_eq!(ask(&routes, "GET", path, &[host], "").await.status, 200, "{path}");
        assert_eq!(ask(&routes, "GET", path, &[("host", "evil.example")], "").await.status, 421, "{path}");
    }
    let html = ask(&routes, "GET", "/internal/monitor/runs/7", &[host], "").await;
    let html = String::from_utf8(html.body).unwrap();
    let links: Vec<_> = html
        .split(['"', ' '])
        .collect::<Vec<_>>()
        .windows(2)
        .filter(|pair| pair[0] == "src=" || pair[0] == "href=")
        .map(|pair| pair[1].to_owned())
        .filter(|link| !link.starts_with("data:"))
        .collect();
    assert!(links.len() >= 4, "{html}");
    for link in links {
        let file = ask(&routes, "GET", &link, &[host], "").await;
        assert_eq!((file.status, file.body == b"app"), (200, false), "{link}");
    }
    let now = "/internal/monitor/api/v1/now";
    assert_eq!(ask(&routes, "GET", now, &[host], "").await.status, 401);
    assert_eq!(ask(&routes, "GET", "/monitor/", &[host], "").await.body, b"app");
    let origin = ("origin", "https://agents.example.com");
    // A proxy may send the host by which it knows the service.
    let proxied = [("host", "127.0.0.1:3000"), origin];
    let signed_in = ask(&routes, "POST", "/internal/monitor/login", &proxied, "token=s3cret").await;
    assert_eq!(signed_in.status, 204);
    let cookie = signed_in.header("set-cookie").unwrap();
    assert!(cookie.contains("; Path=/internal/monitor;") && cookie.ends_with("; Secure"), "{cookie}");
    let pair = cookie.split(';').next().unwrap();
    assert_eq!(ask(&routes, "GET", now, &[host, ("cookie", pair)], "").await.status, 200);
    let bearer = ("authorization", "Bearer s3cret");
    assert_eq!(ask(&routes, "GET", now, &[host, bearer], "").await.status, 200);
    let metrics = ask(&routes, "GET", "/internal/health/metrics", &[bearer], "").await;
    let metrics = String::from_utf8(metrics.body).unwrap();
    assert!(!metrics.contains("endpoint=\"/internal/monitor"), "the page is no traffic of the application");
}

#[test]
fn a_run_is_pinned_from_the_page_only() {
    let monitor = monitor();
    fail("pin me").unwrap_err();
    let id = crate::runs_of("page_fails")[0].id();
    let pin = |what: &str, head: &str| {
        send(&monitor, "POST", &format!("/monitor/api/v1/runs/{id}/{what}"), head, "").status
    };
    let is_pinned = || {
        let answer = get(&monitor, &format!("/monitor/api/v1/runs/{id}"));
        serde_json::from_slice::<Value>(&answer.body).unwrap()["runs"][0]["pinned"].as_bool().unwrap()
    };
    assert_eq!(pin("pin", &format!("{HOST}sec-fetch-site: cross-site\r\n")), 403);
    assert!(!is_pinned());
    assert_eq!(pin("pin", &format!("{HOST}sec-fetch-site: same-origin\r\n")), 200);
    assert!(is_pinned());
    assert_eq!(pin("unpin", HOST), 200);
    assert!(!is_pinned());
}

/// The events of a stream.
pub(crate) struct Stream {
    connection: BufReader<TcpStream>,
    /// The id of the last event.
    id: String,
}

impl Stream {
    pub(crate) fn open(monitor: &Monitor, query: &str) -> Self {
        Self::at(monitor, &format!("/monitor/api/v1/stream?{query}"))
    }

    pub(crate) fn at(monitor: &Monitor, path: &str) -> Self {
        Self::over(connect(monitor), path, "")
    }

    /// Opens it with further headers.
    pub(crate) fn over(mut connection: TcpStream, path: &str, head: &str) -> Self {
        write!(connection, "GET {path} HTTP/1.0\r\n{HOST}{head}\r\n").unwrap();
        let mut stream = Self { connection: BufReader::new(connection), id: String::new() };
        let head: Vec<_> = std::iter::from_fn(|| stream.line().filter(|line| !line.is_empty())).collect();
        assert!(head[0].contains(" 200 "), "{head:?}");
        assert!(
            head.iter().any(|line| line.eq_ignore_ascii_case("content-type: text/event-stream")),
            "{head:?}"
        );
        stream
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let length = self.connection.read_line(&mut line).unwrap();
        (length > 0).then(|| line.trim_end().to_owned())
    }

    /// The next event and its data; `None` at the end.
    pub(crate) fn next(&mut self) -> Option<(String, Value)> {
        let (mut name, mut data) = (None, None);
        loop {
            let line = self.line()?;
            match line.split_once(": ") {
                Some(("event", value)) => name = Some(value.to_owned()),
                Some(("data", value)) => data = Some(serde_json::from_str(value).unwrap()),
                Some(("id", value)) => {
                    assert!(value.parse::<u64>().is_ok());
                    value.clone_into(&mut self.id);
                }
                _ => return Some((name.unwrap(), data.unwrap())),
            }
        }
    }

    /// The data of the next event of that name that fits.
    pub(crate) fn until(&mut self, wanted: &str, fits: impl Fn(&Value) -> bool) -> Value {
        loop {
            let (name, data) = self.next().unwrap_or_else(|| panic!("the stream ended before {wanted}"));
            if name == wanted && fits(&data) {
                return data;
            }
        }
    }
}

/// The row of an agent's run in an event.
fn row<'d>(data: &'d Value, list: &str, agent: &str) -> Option<&'d Value> {
    data[list].as_array()?.iter().find(|row| row["agent"] == agent)
}

#[test]
fn the_stream_tells_a_run_from_its_begin_to_its_end() {
    let monitor = monitor();
    let mut stream = Stream::open(&monitor, "topics=now,runs");
    let (name, hello) = stream.next().unwrap();
    assert_eq!((&*name, &hello["schema"]), ("hello", &1.into()));
    assert_eq!(hello["instance"]["pid"], std::process::id());
    let first = stream.until("tick", |_| true);
    assert!(first["agents"].is_array() && first["failures"].is_array(), "{first}");
    assert_eq!(first["ready"]["status"], "ready");
    stream.until("tick", |tick| tick["points"]["in_flight.agent"].is_number());
    let (open, running) = start(2);
    let tick = stream.until("tick", |tick| row(tick, "running", "page_waits").is_some());
    let id = row(&tick, "running", "page_waits").unwrap()["id"].as_str().unwrap().to_owned();
    assert_eq!(row(&tick, "running", "page_waits").unwrap()["status"], "running");

    // A client that comes later is told everything at once.
    let mut late = Stream::open(&monitor, &format!("topics=now,run:{id}"));
    let everything = late.until("tick", |_| true);
    assert!(row(&everything, "running", "page_waits").is_some(), "{everything}");
    assert_eq!(
        (&first["full"], &tick["full"], &everything["full"]),
        (&true.into(), &Value::Null, &true.into())
    );
    let tree = late.until("run", |_| true);
    let said: Vec<_> =
        tree["nodes"].as_array().unwrap().iter().map(|node| (&node["at"], &node["name"])).collect();
    let (agent, skill) = ("page_waits".into(), "page_step".into());
    assert_eq!(said, [(&0.into(), &agent), (&1.into(), &skill), (&2.into(), &skill)]);
    assert_eq!((&tree["id"], &tree["status"]), (&Value::from(&*id), &"running".into()));

    open.send(()).unwrap();
    running.join().unwrap();
    let end = late.until("run", |run| run["status"] == "success");
    let ended: Vec<_> =
        end["nodes"].as_array().unwrap().iter().map(|node| (&node["at"], &node["outcome"])).collect();
    assert_eq!(ended, [(&0.into(), &"success".into())], "only what changed");
    let is_end = |row: &Value| row["id"] == *id && row["status"] == "success";
    let tick = |tick: &Value| tick["ended"].as_array().is_some_and(|ended| ended.iter().any(is_end));
    late.until("tick", tick);
    stream.until("runs", |runs| runs["runs"].as_array().unwrap().iter().any(is_end));
}

#[test]
fn a_large_run_reaches_a_page_that_follows_more() {
    const LARGE: usize = 256 << 10;
    let monitor = monitor();
    let (open, running) = start(1_990);
    let largest = "/monitor/api/v1/runs?status=running&agent=page_waits&sort=steps&limit=1";
    let id = loop {
        let answer: Value = serde_json::from_slice(&get(&monitor, largest).body).unwrap();
        if answer["runs"][0]["steps"] == 1_990 {
            break answer["runs"][0]["id"].as_str().unwrap().to_owned();
        }
    };
    let mut stream = Stream::open(&monitor, &format!("topics=logs,run:{id}"));
    let mut names = Vec::new();
    while names.iter().filter(|name| *name == "tick").count() < 4 {
        let (name, data) = stream.next().unwrap();
        assert_ne!(name, "resync", "{names:?}");
        if name == "run" && !names.contains(&name) {
            assert!(data.to_string().len() > LARGE);
        }
        names.push(name);
    }
    assert_eq!(names[..4], ["hello", "tick", "run", "log"]);
    open.send(()).unwrap();
    running.join().unwrap();
}

#[track_agent("page_has_ended")]
fn end() {}

#[test]
fn a_page_is_told_of_no_run_that_ended_before_it_came() {
    let monitor = monitor();
    let mut early = Stream::open(&monitor, "topics=frame");
    early.until("tick", |_| true);
    let mut follower = Stream::open(&monitor, "topics=runs");
    follower.until("tick", |_| true);
    drop(follower);
    (0..3).for_each(|_| end());
    early.until("tick", |_| true);
    early.until("tick", |_| true);
    (0..3).for_each(|_| end());
    let mut late = Stream::open(&monitor, "topics=runs");
    late.until("tick", |_| true);
    end();
    let told = late.until("runs", |runs| row(runs, "runs", "page_has_ended").is_some());
    let own = told["runs"].as_array().unwrap().iter().filter(|run| run["agent"] == "page_has_ended");
    assert_eq!(own.count(), 1, "{told}");
}

#[test]
fn runs_that_go_on_are_cut_to_the_limit_oldest_or_largest_first() {
    let monitor = monitor();
    let begun: Vec<_> = [1, 5, 3].into_iter().map(start).collect();
    let answer = |query: &str| -> Value {
        let path = format!("/monitor/api/v1/runs?status=running&agent=page_waits{query}");
        serde_json::from_slice(&get(&monitor, &path).body).unwrap()
    };
    let listed = |query: &str| {
        let answer = answer(query);
        let steps = answer["runs"].as_array().unwrap().iter().map(|run| run["steps"].as_u64().unwrap());
        steps.collect::<Vec<_>>()
    };
    while listed("&sort=steps&limit=2") != [5, 3] {
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(listed("&sort=steps&limit=1"), [5]);
    assert_eq!((listed("&limit=2").len(), listed("").len() >= 3), (2, true));
    assert!(listed("&pinned=true").is_empty());
    for query in ["&limit=1", "&sort=steps&limit=1"] {
        assert!(answer(query)["more"].as_u64().unwrap() >= 2, "{query}");
    }
    assert_eq!((&answer("&limit=1000")["more"], &answer("&pinned=true")["more"]), (&0.into(), &0.into()));
    for (open, running) in begun {
        open.send(()).unwrap();
        running.join().unwrap();
    }
}

#[test]
fn lines_that_an_event_has_no_room_for_are_counted() {
    const LINES: u64 = 1_500;
    let monitor = monitor();
    let mut stream = Stream::open(&monitor, "topics=logs");
    stream.until("tick", |_| true);
    let flood = || {
        tracing::info!(target: "page::flood", "first");
        let first = stream
            .until("log", |log| log["lines"].as_array().unwrap().iter().any(|line| line["text"] == "first"));
        let seq = |log: &Value| log["lines"].as_array().unwrap().last().unwrap()["seq"].as_u64().unwrap();
        let mut last = seq(&first);
        let end = last + LINES;
        (0..LINES).for_each(|nth| tracing::info!(target: "page::flood", nth, "line"));
        while last < end {
            let log = stream.until("log", |_| true);
            let lines = log["lines"].as_array().unwrap().len() as u64;
            let skipped = log["skipped"].as_u64().unwrap_or(0);
            assert_eq!(seq(&log), last + skipped + lines, "every line is told or counted");
            last = seq(&log);
        }
    };
    crate::lines::logged(flood);
}

#[test]
fn a_client_with_a_gap_is_asked_to_read_again() {
    let monitor = monitor();
    let mut stream = Stream::open(&monitor, "topics=frame");
    stream.until("tick", |_| true);
    let second = |query: &str, head: &str| {
        let path = format!("/monitor/api/v1/stream?{query}");
        let mut stream = Stream::over(connect(&monitor), &path, head);
        [stream.next().unwrap().0, stream.next().unwrap().0][1].clone()
    };
    let last = format!("last_event_id={}", stream.id);
    for topics in ["frame", "now", &format!("run:{:032x}", 7)] {
        assert_eq!(second(&format!("topics={topics}&{last}"), ""), "tick", "{topics} is told as it is now");
    }
    for topics in ["runs", "logs", "health", "now,runs"] {
        assert_eq!(second(&format!("topics={topics}"), ""), "tick", "{topics}: a new client has read before");
        assert_eq!(second(&format!("topics={topics}&{last}"), ""), "resync", "{topics} is not told again");
    }
    let far = "last_event_id=18446744073709551615";
    assert_eq!(second(&format!("topics=frame&{far}"), ""), "resync");
    let header = format!("last-event-id: {}\r\n", stream.id);
    assert_eq!(second(&format!("topics=frame&{far}"), &header), "tick", "the header comes first");
    assert_eq!(second("topics=runs", &header), "resync");
    assert_eq!(second("topics=frame", "last-event-id: x\r\n"), "resync");
    for (query, reason) in [
        ("topics=now,then", "there are the topics now, run:{id}, runs, logs, health and frame"),
        ("topics=run:7", "`7` is not a run id; a run id has 32 hexadecimal digits, not all of them 0"),
        ("limit=1", "there are the parameters topics and last_event_id"),
    ] {
        let answer = get(&monitor, &format!("/monitor/api/v1/stream?{query}"));
        assert_eq!((answer.status, answer.error().as_str()), (400, reason), "{query}");
    }
}

#[test]
fn sixteen_pages_have_room() {
    let monitor = monitor();
    let clients = || {
        let about: Value = serde_json::from_slice(&get(&monitor, "/monitor/api/v1/about").body).unwrap();
        [&about["clients"], &about["most_clients"]].map(|count| count.as_u64().unwrap())
    };
    let mut open: Vec<_> = (0..16).map(|_| Stream::open(&monitor, "topics=frame")).collect();
    assert_eq!(clients(), [16, 16]);
    let refused = get(&monitor, "/monitor/api/v1/stream?topics=frame");
    assert_eq!(
        (refused.status, refused.error().as_str()),
        (503, "16 pages follow this process; close one of them")
    );
    open.clear();
    while clients()[0] > 0 {
        thread::sleep(Duration::from_millis(5));
    }
    Stream::open(&monitor, "topics=frame");
}

#[test]
fn at_a_drain_a_stream_ends_and_holds_nothing_up() {
    let monitor = builder()
        .drain_delay(Duration::from_millis(200))
        .shutdown_timeout(Duration::from_secs(1))
        .build()
        .unwrap();
    let serving = monitor.clone();
    let served = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            serving.serve(listener, Router::new()).await.unwrap();
        });
    });
    let mut stream = Stream::open(&monitor, "topics=now");
    stream.until("tick", |_| true);
    monitor.stop();
    let bye = stream.until("bye", |_| true);
    assert_eq!((&bye["retry_ms"], &bye["reason"]), (&2_000.into(), &"the service drains".into()));
    assert!(stream.next().is_none(), "the stream is over");
    served.join().unwrap();
    // The page answers until the process ends, and who comes is told.
    let mut late = Stream::open(&monitor, "topics=now");
    assert_eq!([late.next().unwrap().0, late.next().unwrap().0], ["hello", "bye"]);
}

#[test]
fn accept_is_a_list_with_weights() {
    let monitor = monitor();
    for (accept, form) in [
        ("text/plain", "text/plain; charset=utf-8"),
        ("text/plain;charset=utf-8", "text/plain; charset=utf-8"),
        ("text/html, text/plain;q=0.9, */*;q=0.1", "text/plain; charset=utf-8"),
        ("application/json;q=0.5, text/*", "text/plain; charset=utf-8"),
        ("application/json, text/plain, */*", "application/json"),
        ("text/plain;q=0, */*", "application/json"),
        ("*/*", "application/json"),
        ("text/html", "application/json"),
    ] {
        let head = format!("{HOST}accept: {accept}\r\n");
        let answer = send(&monitor, "GET", "/monitor/api/v1/now", &head, "");
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(form)), "{accept}");
    }
}

#[test]
fn a_series_that_is_named_twice_is_answered_once() {
    let monitor = monitor();
    let names = "runs.error,runs.success,runs.error";
    let path = |names: &str| format!("/monitor/api/v1/history?series={names}");
    let body = String::from_utf8(get(&monitor, &path(names)).body).unwrap();
    assert_eq!(body.matches("\"runs.error\":").count(), 1, "{body}");
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(answer["series"].as_object().unwrap().len(), 2);
    let text = get(&monitor, &format!("{}&format=text", path(names))).body;
    let text = String::from_utf8(text).unwrap();
    let columns: Vec<_> = text.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(columns, ["TIME_US", "runs.error", "runs.success"]);
}

/// Every number in JSON, with the names that lead to it.
fn numbers(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Number(number) => found.push(number.to_string()),
        Value::Array(values) => values.iter().for_each(|value| numbers(value, found)),
        Value::Object(fields) => fields.values().for_each(|value| numbers(value, found)),
        _ => {}
    }
}

#[test]
fn the_text_of_a_run_has_the_figures_of_its_json() {
    let monitor = monitor();
    fail("text and JSON").unwrap_err();
    let id = run::started().unwrap().failed("page_fails")[0].id();
    let path = "/monitor/api/v1/runs?agent=page_fails&status=error&limit=1";
    let json: Value = serde_json::from_slice(&get(&monitor, path).body).unwrap();
    let text = String::from_utf8(get(&monitor, &format!("{path}&format=text")).body).unwrap();
    let row = &json["runs"][0];
    let cells: Vec<_> =
        text.lines().find(|line| line.contains(&id.to_string())).unwrap().split("  ").collect();
    let mut figures = Vec::new();
    numbers(row, &mut figures);
    for figure in figures {
        assert!(cells.iter().any(|cell| cell.trim() == figure), "{figure} is missing in {text}");
    }
}
