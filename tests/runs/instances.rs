//! Several instances on the live page: each is a process of its own, or a listener that behaves badly.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdout};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use axum::Router;
use monitor_runtime::{BuildError, Dashboard, Monitor, Peers, track_agent};
use serde_json::{Value, json};

use crate::page::{self, HOST, Stream, get, send};
use crate::schema::check;
use crate::support::subprocess::{self, Subprocess};

const OTHERS: Subprocess = Subprocess::new(module_path!(), "another_instance");

#[track_agent("instances_walks")]
fn walk(fails: bool) -> Result<(), String> {
    if fails { Err("no road".to_owned()) } else { Ok(()) }
}

/// The part is the token of the instance, or `open`. For each letter that it reads, it makes a call and says so.
#[test]
#[ignore = "plays a part in other tests"]
fn another_instance() {
    let Some(token) = subprocess::part() else { return };
    let builder = page::builder();
    let builder = if token == "open" { builder } else { builder.bearer_token(token) };
    let monitor = builder.build().unwrap();
    println!("{}", monitor.admin_address().unwrap());
    for byte in std::io::stdin().lock().bytes() {
        let _ = walk(byte.unwrap() == b'-');
        println!("called");
    }
}

/// Another process. It ends with this value.
struct Instance {
    child: Child,
    said: BufReader<ChildStdout>,
    address: SocketAddr,
}

impl Instance {
    fn start(token: &str) -> Self {
        let mut child = OTHERS.spawn(token);
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut lines = said.by_ref().lines().map(Result::unwrap);
        lines.find(|line| line.ends_with(subprocess::BEGIN.trim_end())).unwrap();
        let address = lines.next().unwrap().parse().unwrap();
        Self { child, said, address }
    }

    /// Has it make calls: a `+` is one that succeeds, a `-` one that fails.
    fn call(&mut self, calls: &str) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(calls.as_bytes()).unwrap();
        stdin.flush().unwrap();
        let said = self.said.by_ref().lines().take(calls.len());
        assert!(said.map(Result::unwrap).all(|line| line == "called"));
    }

    fn name(&self) -> String {
        self.address.to_string()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A listener that answers each request with these bytes, and hands over what it read.
fn answering(answer: impl Into<Vec<u8>>) -> (SocketAddr, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, answer) = (listener.local_addr().unwrap(), answer.into());
    let (sender, heads) = mpsc::channel();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let lines = BufReader::new(connection.try_clone().unwrap()).lines().map_while(Result::ok);
            let head: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
            // The other side may have heard enough.
            let _ = connection.write_all(&answer);
            let _ = sender.send(head.join("\n"));
        }
    });
    (address, heads)
}

fn http(status: &str, head: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\n{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// A listener that takes connections and never answers.
fn frozen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn closed() -> SocketAddr {
    frozen().1
}

fn with(peers: Peers) -> Monitor {
    Monitor::builder().admin_port(0).dashboard(Dashboard::new().peers(peers)).build().unwrap()
}

fn of(addresses: &[SocketAddr]) -> Monitor {
    with(Peers::list(addresses.iter().map(ToString::to_string)))
}

fn read(monitor: &Monitor, path: &str) -> Value {
    let answer = get(monitor, path);
    let body = String::from_utf8(answer.body).unwrap();
    assert_eq!(answer.status, 200, "{path}: {body}");
    serde_json::from_str(&body).unwrap()
}

fn instances(monitor: &Monitor) -> Value {
    let answer = read(monitor, "/monitor/api/v1/instances");
    check(&read(monitor, "/monitor/api/v1/schema"), "instances", "instances", &answer);
    answer
}

fn row(answer: &Value, address: SocketAddr) -> &Value {
    let rows = answer["instances"].as_array().unwrap();
    rows.iter().find(|row| row["address"] == address.to_string()).unwrap_or_else(|| panic!("{answer:#}"))
}

#[test]
fn totals_are_the_sums_of_the_instances_own_counts() {
    let mut others = [Instance::start("open"), Instance::start("open")];
    let monitor = of(&others.each_ref().map(|other| other.address));
    others[0].call("+++++++-");
    others[1].call("++--");
    let _ = walk(true);
    let answer = instances(&monitor);
    let rows = answer["instances"].as_array().unwrap();
    assert_eq!(rows.len(), 3);
    assert_eq!((&rows[0]["pid"], &rows[0]["path"]), (&std::process::id().into(), &Value::Null));
    for other in &others {
        let row = row(&answer, other.address);
        assert_eq!((&row["state"], &row["pid"]), (&"answers".into(), &other.child.id().into()), "{row:#}");
        assert_eq!(row["path"], format!("i/{}/", other.address));
        // As the instance tells it itself.
        let path = format!("/monitor/i/{}/api/v1/now", other.address);
        assert_eq!(row["ended"], read(&monitor, &path)["totals"]["ended"]);
        assert!(
            row["age_us"].is_u64() && row["uptime_us"].as_u64() > Some(0) && row["ready"] == "ready",
            "{row:#}"
        );
    }
    assert_eq!(
        row(&answer, others[0].address)["ended"],
        json!({"success": 7, "error": 1, "panic": 0, "cancelled": 0})
    );
    let totals = &answer["totals"];
    assert_eq!(
        (&totals["known"], &totals["answering"], &totals["left_out"]),
        (&3.into(), &3.into(), &0.into())
    );
    for outcome in ["success", "error", "panic", "cancelled"] {
        let sum: u64 = rows.iter().map(|row| row["ended"][outcome].as_u64().unwrap()).sum();
        assert_eq!(totals["ended"][outcome], sum, "{answer:#}");
    }
    // The frame of every answer says how many there are.
    assert_eq!(read(&monitor, "/monitor/api/v1/about")["instance"]["instances"], 3);
    let text = get(&monitor, "/monitor/api/v1/instances?format=text").body;
    let text = String::from_utf8(text).unwrap();
    for other in &others {
        let line = text.lines().find(|line| line.starts_with(&other.name())).unwrap();
        assert!(line.contains("answers") && line.contains(&other.child.id().to_string()), "{text}");
    }
}

#[test]
fn without_peers_there_is_this_instance() {
    let monitor = page::builder().build().unwrap();
    let answer = instances(&monitor);
    assert_eq!(answer["instances"].as_array().unwrap().len(), 1);
    assert_eq!(read(&monitor, "/monitor/api/v1/about")["instance"]["instances"], Value::Null);
    let passed = get(&monitor, "/monitor/i/127.0.0.1:1/api/v1/now");
    assert_eq!(
        (passed.status, &*passed.error()),
        (404, "the page knows no other instances; set `Dashboard::peers`")
    );
}

#[test]
fn an_instance_finds_itself_behind_a_name_and_does_not_ask_itself() {
    let port = closed().port();
    let peers = Peers::dns(format!("localhost:{port}"));
    let monitor =
        Monitor::builder().admin_port(port).dashboard(Dashboard::new().peers(peers)).build().unwrap();
    for _ in 0..2 {
        let answer = instances(&monitor);
        let rows = answer["instances"].as_array().unwrap();
        let own: Vec<_> = rows.iter().filter(|row| row["pid"] == std::process::id()).collect();
        assert_eq!(own.len(), 1, "{answer:#}");
        assert_eq!(own[0]["address"], format!("127.0.0.1:{port}"));
        assert_eq!(answer["totals"]["answering"], 1);
    }
}

#[test]
fn the_figures_of_an_instance_have_no_row_for_each_agent() {
    let monitor = page::builder().build().unwrap();
    let _ = walk(false);
    let answer = read(&monitor, "/monitor/api/v1/instance");
    check(&read(&monitor, "/monitor/api/v1/schema"), "instance_answer", "instance", &answer);
    assert!(answer["totals"]["ended"]["success"].as_u64() > Some(0), "{answer:#}");
    assert_eq!((&answer["agents"], &answer["running"]), (&Value::Null, &Value::Null));
    let text = String::from_utf8(get(&monitor, "/monitor/api/v1/instance?format=text").body).unwrap();
    assert!(text.starts_with("ALL_AGENTS"), "{text}");
}

#[test]
fn instances_that_do_not_answer_are_told_apart() {
    let (_frozen, frozen) = frozen();
    let closed = closed();
    let json = "content-type: application/json\r\n";
    let refusing = ["401 Unauthorized", "403 Forbidden", "421 Misdirected Request", "500 Oh"]
        .map(|status| answering(http(status, json, "{}")).0);
    let long = format!("x-long: {}\r\n", "a".repeat(100_000));
    let unreadable = [
        answering("hello\r\n\r\n"),
        answering(http("200 OK", json, "hello")),
        answering(http("200 OK", json, "{\"instance\": {}}")),
        answering(http("200 OK", json, &"[".repeat(10 << 20))),
        answering(http("200 OK", &long, "{}")),
    ]
    .map(|(address, _)| address);
    let broken = answering("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{").0;
    let other = Instance::start("open");
    let mut all = vec![frozen, closed, broken, other.address];
    all.extend(refusing.iter().chain(&unreadable));
    let monitor = of(&all);
    let answer = instances(&monitor);
    let is = |address: SocketAddr, state: &str, reason: &str| {
        let row = row(&answer, address);
        let said = row["reason"].as_str().unwrap();
        assert!(row["state"] == state && said.contains(reason), "{address}, {state}, {reason}: {row:#}");
        assert!(row["since_us"].is_u64() && row["pid"].is_null(), "{row:#}");
    };
    is(frozen, "silent", "no answer within 1s");
    is(closed, "silent", "the connection failed: ");
    is(broken, "silent", "the answer broke off: ");
    for (address, (status, reason)) in refusing.iter().zip([
        (401, "`Peers::token`"),
        (403, "token"),
        (421, "host"),
        (500, "does not answer with figures"),
    ]) {
        is(*address, "refuses", reason);
        assert_eq!(row(&answer, *address)["status"], status);
    }
    is(unreadable[0], "unreadable", "it does not speak HTTP");
    is(unreadable[1], "unreadable", "something else than figures");
    is(unreadable[2], "unreadable", "something else than figures");
    is(unreadable[3], "unreadable", "more than 1048576 bytes");
    is(unreadable[4], "unreadable", "");
    let known = all.len() + 1;
    assert_eq!((&answer["totals"]["known"], &answer["totals"]["answering"]), (&known.into(), &2.into()));
    assert_eq!(row(&answer, other.address)["state"], "answers");
}

#[test]
fn an_instance_that_falls_silent_keeps_its_last_reading_outside_of_the_sums() {
    let mut other = Instance::start("open");
    let monitor = of(&[other.address]);
    other.call("+++");
    assert_eq!(instances(&monitor)["totals"]["answering"], 2);
    let address = other.address;
    drop(other);
    let answer = loop {
        let answer = instances(&monitor);
        if row(&answer, address)["state"] == "silent" {
            break answer;
        }
        thread::sleep(Duration::from_millis(20));
    };
    let row = row(&answer, address);
    assert_eq!(
        (&row["ended"]["success"], &answer["totals"]["answering"]),
        (&3.into(), &1.into()),
        "{answer:#}"
    );
    assert!(row["since_us"].as_u64() >= row["read_us"].as_u64() && row["age_us"].as_u64() > Some(0));
    assert_eq!(answer["totals"]["ended"], answer["instances"][0]["ended"]);
}

#[test]
fn instances_are_asked_with_their_token_and_by_their_address() {
    let other = Instance::start("theirs");
    let (spy, heads) = answering(http("404 Not Found", "content-type: application/json\r\n", "{}"));
    let list = || Peers::list([other.name(), spy.to_string()]);
    let monitor = |peers| {
        let dashboard = Dashboard::new().peers(peers);
        Monitor::builder().admin_port(0).bearer_token("ours").dashboard(dashboard).build().unwrap()
    };
    let ask = |monitor: &Monitor| {
        let head = format!("{HOST}authorization: Bearer ours\r\ncookie: a=b\r\n");
        let answer = send(monitor, "GET", "/monitor/api/v1/instances", &head, "");
        (serde_json::from_slice::<Value>(&answer.body).unwrap(), heads.recv().unwrap())
    };
    let (answer, head) = ask(&monitor(list()));
    assert_eq!(row(&answer, other.address)["status"], 401);
    assert!(head.starts_with("GET /monitor/api/v1/instance HTTP/1.1\n"), "{head}");
    assert!(head.contains("authorization: Bearer ours") && head.contains(&format!("host: {spy}")), "{head}");
    assert!(!head.contains("cookie"), "{head}");
    let (answer, head) = ask(&monitor(list().token("theirs")));
    assert_eq!(row(&answer, other.address)["state"], "answers");
    assert!(head.contains("authorization: Bearer theirs"), "{head}");
}

#[test]
fn a_page_of_another_instance_has_our_files_and_its_figures() {
    let mut other = Instance::start("open");
    let monitor = of(&[other.address]);
    other.call("+");
    let root = format!("/monitor/i/{}", other.address);
    for path in ["", "/", "/runs", "/calls/agent/x"] {
        let page = get(&monitor, &format!("{root}{path}"));
        let text = String::from_utf8(page.body).unwrap();
        assert!(
            page.status == 200 && text.contains(&format!("src=\"{root}/assets/app.js\"")),
            "{path}: {text}"
        );
    }
    let ours = get(&monitor, "/monitor/assets/app.js");
    let theirs = get(&monitor, &format!("{root}/assets/app.js"));
    assert_eq!((theirs.status, theirs.body), (200, ours.body));
    for path in ["now", "runs?limit=1", "calls", "health", "about", "history"] {
        let answer = read(&monitor, &format!("{root}/api/v1/{path}"));
        assert_eq!(answer["instance"]["pid"], other.child.id(), "{path}");
    }
    let text = get(&monitor, &format!("{root}/api/v1/now?format=text"));
    assert_eq!(text.header("content-type"), Some("text/plain; charset=utf-8"));
    let unread = get(&monitor, &format!("{root}/api/v1/runs?limit=x"));
    assert_eq!((unread.status, &*unread.error()), (400, "`limit=x`: expected 1 to 1000"));
    // Its id is a name for it too, once it has been read.
    let id = instances(&monitor)["instances"][1]["id"].as_str().unwrap().to_owned();
    assert_eq!(read(&monitor, &format!("/monitor/i/{id}/api/v1/now"))["instance"]["pid"], other.child.id());
}

#[test]
fn another_instance_is_only_read() {
    let other = Instance::start("open");
    let monitor = of(&[other.address]);
    let root = format!("/monitor/i/{}", other.address);
    let pin = format!("{root}/api/v1/runs/{:032x}/pin", 7);
    let pinned = send(&monitor, "POST", &pin, HOST, "");
    assert_eq!((pinned.status, pinned.header("allow")), (405, Some("GET,HEAD")));
    assert_eq!(send(&monitor, "POST", &format!("{root}/"), HOST, "").status, 405);
    for path in ["login", "logout", "api", "api/v1", "api/v2/now", &format!("i/{}/", other.address)] {
        let answer = get(&monitor, &format!("{root}/{path}"));
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.error().starts_with("no such route; of another instance there are"), "{path}");
    }
    for path in ["../../../metrics", "now/%2e%2E/x", "./now"] {
        let answer = get(&monitor, &format!("{root}/api/v1/{path}"));
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.error().ends_with("a path has no segment `.` or `..`"), "{path}: {}", answer.error());
    }
    for path in
        ["/monitor/i/10.9.8.7:6/", "/monitor/i/10.9.8.7:6/api/v1/now", "/monitor/i/%3Cb%3E/", "/monitor/i/"]
    {
        let answer = get(&monitor, path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.error().starts_with("there is no instance `"), "{path}: {}", answer.error());
    }
    for path in [format!("{root}/"), format!("{root}/api/v1/now"), "/monitor/api/v1/instances".to_owned()] {
        let status = |head: &str| send(&monitor, "GET", &path, head, "").status;
        assert_eq!(status("host: evil.example\r\n"), 421, "{path}");
        assert_eq!(status(&format!("{HOST}sec-fetch-site: cross-site\r\n")), 403, "{path}");
        let answer = get(&monitor, &path);
        assert!(
            answer.header("content-security-policy").unwrap().starts_with("default-src 'none';"),
            "{path}"
        );
    }
}

#[test]
fn a_page_behind_a_token_passes_nothing_on_without_it() {
    let (spy, heads) =
        answering(http("200 OK", "content-type: application/json\r\nset-cookie: a=b\r\n", "{}"));
    let dashboard = Dashboard::new().peers(Peers::list([spy.to_string()]));
    let monitor =
        Monitor::builder().admin_port(0).bearer_token("s3cret").dashboard(dashboard).build().unwrap();
    let path = format!("/monitor/i/{spy}/api/v1/runs?q=a%20b");
    for closed in [&path, "/monitor/api/v1/instances"] {
        assert_eq!(get(&monitor, closed).status, 401, "{closed}");
    }
    // Who may not know learns nothing of the instances, and nobody whether a token is right.
    for token in ["", "authorization: Bearer wrong\r\n", "authorization: Bearer s3cret\r\n"] {
        let status = |path: &str| send(&monitor, "GET", path, &format!("{HOST}{token}"), "").status;
        assert_eq!([status("/monitor/i/x/"), status(&format!("/monitor/i/{spy}/"))], [200; 2], "{token}");
    }
    assert!(heads.try_recv().is_err());
    let signed_in = send(&monitor, "POST", "/monitor/login", HOST, "token=s3cret");
    let cookie = signed_in.header("set-cookie").unwrap().split(';').next().unwrap();
    let unknown = send(&monitor, "GET", "/monitor/i/x/", &format!("{HOST}cookie: {cookie}\r\n"), "");
    assert_eq!(unknown.status, 404);
    // To find an instance by its id, all are asked.
    heads.recv().unwrap();
    let head = format!(
        "{HOST}authorization: Bearer s3cret\r\ncookie: monitor_session=1.2\r\naccept: application/json\r\nx-forwarded-for: me\r\n"
    );
    let answer = send(&monitor, "GET", &path, &head, "");
    assert_eq!((answer.status, answer.header("set-cookie")), (200, None));
    let asked = heads.recv().unwrap();
    assert!(asked.starts_with("GET /monitor/api/v1/runs?q=a%20b HTTP/1.1\n"), "{asked}");
    let mut names: Vec<_> = asked.lines().skip(1).map(|line| line.split(':').next().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["accept", "authorization", "connection", "host"]);
}

#[test]
fn an_answer_that_is_none_of_the_api_is_not_passed_on() {
    let (_frozen, frozen) = frozen();
    let closed = closed();
    let html = answering(http("200 OK", "content-type: text/html\r\n", "<script>1</script>")).0;
    let script = answering(http("200 OK", "content-type: text/javascript\r\n", "1")).0;
    let locked = answering(http("401 Unauthorized", "content-type: application/json\r\n", "{}")).0;
    let moved = answering(http("302 Found", "location: http://evil.example/\r\n", "")).0;
    let long = answering(http("200 OK", "content-type: application/json\r\n", &" ".repeat(33 << 20))).0;
    let monitor = of(&[frozen, closed, html, script, locked, moved, long]);
    for (address, status, reason) in [
        (frozen, 504, "does not answer: no answer within 3s"),
        (closed, 504, "does not answer: the connection failed: "),
        (html, 502, "it answers with something else than JSON"),
        (script, 502, "it answers with something else than JSON"),
        (locked, 502, "it answers with status 401"),
        (moved, 502, "it answers with status 302"),
        (long, 502, "it answers with more than 33554432 bytes"),
    ] {
        let answer = get(&monitor, &format!("/monitor/i/{address}/api/v1/now"));
        let error = answer.error();
        assert_eq!(answer.status, status, "{address}: {error}");
        assert!(error.contains(reason) && error.contains(&format!("`{address}`")), "{error}");
        assert_eq!(answer.header("location"), None);
    }
}

#[test]
fn an_answer_is_passed_on_as_it_comes() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let monitor = of(&[address]);
    let (go_on, told) = mpsc::channel();
    let peer = thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let mut head = BufReader::new(connection.try_clone().unwrap()).lines().map_while(Result::ok);
        head.find(String::is_empty);
        connection
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n[1,")
            .unwrap();
        told.recv().unwrap();
        connection.write_all(b"2,3,4]").unwrap();
    });
    let mut connection = TcpStream::connect(monitor.admin_address().unwrap()).unwrap();
    connection.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    write!(connection, "GET /monitor/i/{address}/api/v1/now HTTP/1.0\r\n{HOST}\r\n").unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"[1,") {
        let mut part = [0; 1_024];
        let length = connection.read(&mut part).unwrap();
        assert!(length > 0, "{}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&part[..length]);
    }
    go_on.send(()).unwrap();
    connection.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8(answer).unwrap().to_lowercase();
    assert!(answer.contains("content-length: 9\r\n") && answer.ends_with("[1,2,3,4]"), "{answer}");
    peer.join().unwrap();
}

fn clients(monitor: &Monitor) -> u64 {
    read(monitor, "/monitor/api/v1/about")["clients"].as_u64().unwrap()
}

#[test]
fn the_stream_of_another_instance_is_passed_on_until_it_ends() {
    let mut other = Instance::start("open");
    let monitor = of(&[other.address]);
    let path = format!("/monitor/i/{}/api/v1/stream?topics=now", other.address);
    let mut stream = Stream::at(&monitor, &path);
    let (name, hello) = stream.next().unwrap();
    assert_eq!((&*name, &hello["instance"]["pid"]), ("hello", &other.child.id().into()));
    other.call("+");
    let knows = |tick: &Value| tick["agents"].as_array().is_some_and(|agents| !agents.is_empty());
    stream.until("tick", knows);
    assert_eq!(clients(&monitor), 1);
    let mut full: Vec<_> = (1..16).map(|_| Stream::open(&monitor, "topics=frame")).collect();
    let refused = get(&monitor, &path);
    assert_eq!((refused.status, &*refused.error()), (503, "16 pages follow this process; close one of them"));
    full.clear();
    drop(other);
    while stream.next().is_some() {}
    while clients(&monitor) > 0 {
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn at_a_drain_of_this_process_the_stream_of_another_ends() {
    let other = Instance::start("open");
    let dashboard = Dashboard::new().peers(Peers::list([other.name()]));
    let builder =
        Monitor::builder().admin_port(0).drain_delay(Duration::from_millis(500)).dashboard(dashboard);
    let monitor = builder.build().unwrap();
    let serving = monitor.clone();
    let served = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            serving.serve(listener, Router::new()).await.unwrap();
        });
    });
    let path = format!("/monitor/i/{}/api/v1/stream?topics=now", other.address);
    let mut stream = Stream::at(&monitor, &path);
    stream.until("tick", |_| true);
    monitor.stop();
    let bye = stream.until("bye", |_| true);
    assert_eq!(bye["reason"], "the service drains");
    assert!(stream.next().is_none(), "the stream is over");
    served.join().unwrap();
}

#[tokio::test]
async fn below_a_base_path_pages_load_their_own_files() {
    let dashboard = Dashboard::new().on_main_port().peers(Peers::dns("127.0.0.1:9"));
    let monitor = Monitor::builder().base_path("/internal").bearer_token("s3cret").dashboard(dashboard);
    let routes = monitor.build().unwrap().routes();
    for root in ["/internal/monitor", "/internal/monitor/i/127.0.0.1:9", "/internal/monitor/i/%5B::1%5D:9"] {
        let page = page::ask(&routes, "GET", &format!("{root}/runs"), &[("host", "localhost")], "").await;
        let text = String::from_utf8(page.body).unwrap();
        assert!(text.contains(&format!("src=\"{root}/assets/app.js\"")), "{text}");
        let file =
            page::ask(&routes, "GET", &format!("{root}/assets/app.js"), &[("host", "localhost")], "").await;
        assert_eq!(file.status, 200, "{root}");
    }
}

#[test]
fn peers_that_are_none_are_refused_with_what_is_accepted() {
    let refused = |peers| page::builder().dashboard(Dashboard::new().peers(peers)).build().unwrap_err();
    assert!(matches!(refused(Peers::list([""; 0])), BuildError::NoPeers));
    for given in ["agents.internal", "10.0.0.7:0", "http://a:80"] {
        let error = refused(Peers::list(["a:1", given]));
        assert!(matches!(&error, BuildError::Peer { given: named } if named == given), "{error}");
        assert!(error.to_string().contains("expected an address or a host with a port"), "{error}");
    }
    let error = refused(Peers::dns("a:1").token("two words"));
    assert!(matches!(error, BuildError::PeersToken) && !error.to_string().contains("two words"), "{error}");
    let error = refused(Peers::dns("a:1").token("theirs"));
    assert!(
        matches!(error, BuildError::PeersOpen) && error.to_string().ends_with("set `bearer_token`"),
        "{error}"
    );
}

/// Many bytes arrive in pieces; a peer that sends them slowly is cut at the deadline.
#[test]
fn a_peer_that_drips_is_silent() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for connection in listener.incoming() {
            thread::spawn(move || drip(connection.unwrap()));
        }
    });
    let answer = instances(&of(&[address]));
    assert_eq!(row(&answer, address)["reason"], "no answer within 1s");
}

fn drip(mut connection: TcpStream) {
    let mut head = BufReader::new(connection.try_clone().unwrap()).lines().map_while(Result::ok);
    head.find(String::is_empty);
    let _ = connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n");
    while connection.write_all(b" ").is_ok() {
        thread::sleep(Duration::from_millis(20));
    }
}
