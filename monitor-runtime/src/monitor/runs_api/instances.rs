//! The instances of the service: a row for each, their sums, and the API of another one passed on.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use ::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use ::http::{HeaderValue, Response, StatusCode, Uri};
use axum::body::Body;
use axum::extract::Request;
use bytes::Bytes;
use http_body::Frame;
use tokio::time::{Interval, interval};

use super::clients::{Guest, MOST};
use super::events::bye;
use super::object::{Object, Table, cell, decimal_cell, epoch_micros, micros, one_line};
use super::query::Query;
use super::refusal::Refusal;
use super::totals::{self, write_outcomes};
use super::write::{counted_cost_cell, write_counted_cost};
use super::{Answer, Api, formed, frame, recorded};
use crate::monitor::endpoints::Endpoints;
use crate::monitor::fleet::figures::{Figures, Spent};
use crate::monitor::fleet::reading::{Identity, Reading};
use crate::monitor::fleet::{Look, Passed, Passing, Peer, Standing, authority};
use crate::run::Runs;

/// How often an event stream of another instance looks whether this process drains.
const LOOK: Duration = Duration::from_millis(200);

/// An instance.
struct Row<'r> {
    address: Option<String>,
    /// Where its page is below the root of this one.
    path: Option<String>,
    standing: &'r Standing,
    since: Option<SystemTime>,
    /// When it was read.
    read: Option<SystemTime>,
    reading: Option<&'r Reading>,
    now: SystemTime,
}

/// This instance, as others read it: its figures without a row for each agent.
pub(super) fn one(api: &Api, request: &Request) -> Answer {
    let query = Query::parse(request, &[])?;
    let runs = recorded()?;
    let overall = runs.overall();
    Ok(formed(
        api,
        runs,
        query.format,
        |object| totals::write(object, &overall),
        || totals::table(&overall).aligned(),
    ))
}

/// Every instance and their sums.
pub(super) async fn list(api: &Api, request: Request) -> Answer {
    let query = Query::parse(&request, &[])?;
    drop(request);
    let runs = recorded()?;
    let own = own_reading(api, runs);
    let look = match &api.endpoints.fleet {
        Some(fleet) => fleet.look(&own.identity).await,
        None => Arc::default(),
    };
    let now = SystemTime::now();
    let this = Row {
        address: look.own.map(authority),
        path: None,
        standing: &Standing::Answers,
        since: None,
        read: Some(now),
        reading: Some(&own),
        now,
    };
    let rows: Vec<_> =
        std::iter::once(this).chain(look.peers.iter().map(|peer| Row::of(peer, now))).collect();
    let sums = Totals::of(&rows, &look);
    let write = |object: &mut Object<'_>| {
        object.list("instances", rows.iter(), |out, row| row.write(out));
        sums.write(object);
        object.list("faults", look.faults.iter(), |out, fault| crate::json::write_str(out, fault));
    };
    let text = || {
        let mut table = Table::new(&COLUMNS);
        for row in &rows {
            table.row(row.cells());
        }
        let faults: String = look.faults.iter().map(|fault| one_line(fault) + "\n").collect();
        format!("{}\n{}{faults}", table.aligned(), sums.table().aligned())
    };
    Ok(formed(api, runs, query.format, write, text))
}

/// The identity of this process.
pub(in crate::monitor) fn own_identity() -> Identity {
    Identity {
        id: frame::instance_id().to_owned(),
        pid: std::process::id().into(),
        started_us: u64::try_from(frame::started_us()).unwrap_or(u64::MAX),
    }
}

/// This process, as others read it.
fn own_reading(api: &Api, runs: Runs) -> Reading {
    let (service, version) = &api.endpoints.service;
    Reading {
        identity: own_identity(),
        service: service.clone(),
        version: version.clone(),
        ready: api.endpoints.engine.health().status().to_owned(),
        running: runs.figures().running as u64,
        figures: Some(Figures::of(runs.overall())),
    }
}

impl<'r> Row<'r> {
    fn of(peer: &'r Peer, now: SystemTime) -> Self {
        let authority = peer.authority();
        Self {
            path: Some(format!("i/{authority}/")),
            address: Some(authority),
            standing: &peer.standing,
            since: Some(peer.since),
            read: peer.last.as_ref().map(|(at, _)| *at),
            reading: peer.last.as_ref().map(|(_, reading)| &**reading),
            now,
        }
    }

    fn age(&self) -> Option<Duration> {
        self.now.duration_since(self.read?).ok()
    }

    fn uptime_us(&self) -> Option<u128> {
        let started = u128::from(self.reading?.identity.started_us);
        Some(epoch_micros(self.read?).saturating_sub(started))
    }

    fn status(&self) -> Option<u16> {
        if let Standing::Refuses(status) = self.standing { Some(*status) } else { None }
    }

    fn write(&self, out: &mut Vec<u8>) {
        let mut object = Object::open(out);
        object.maybe("address", self.address.as_deref());
        object.maybe("path", self.path.as_deref());
        object.text("state", self.standing.word());
        object.plain("status", self.status());
        object.maybe("reason", self.standing.reason());
        object.plain("since_us", self.since.map(epoch_micros));
        object.plain("read_us", self.read.map(epoch_micros));
        object.plain("age_us", self.age().map(micros));
        if let Some(reading) = self.reading {
            object.text("service", &reading.service);
            object.text("version", &reading.version);
            object.text("id", &reading.identity.id);
            object.plain("pid", Some(reading.identity.pid));
            object.plain("started_us", Some(reading.identity.started_us));
            object.plain("uptime_us", self.uptime_us());
            object.text("ready", &reading.ready);
            object.plain("running", Some(reading.running));
            if let Some(figures) = &reading.figures {
                write_figures(&mut object, figures);
            }
        }
        object.close();
    }

    fn cells(&self) -> Vec<String> {
        let reading = self.reading;
        let text = |of: fn(&Reading) -> &str| cell(reading.map(|reading| one_line(of(reading))));
        let mut cells = vec![
            cell(self.address.as_deref()),
            self.standing.word().to_owned(),
            cell(self.status()),
            text(|reading| &reading.identity.id),
            cell(reading.map(|reading| reading.identity.pid)),
            text(|reading| &reading.version),
            text(|reading| &reading.ready),
            cell(reading.map(|reading| reading.running)),
        ];
        cells.extend(figure_cells(reading.and_then(|reading| reading.figures.as_ref())));
        cells.extend([cell(self.uptime_us()), cell(self.age().map(micros))]);
        cells.push(cell(self.standing.reason().map(one_line)));
        cells
    }
}

/// The columns of [`Row::cells`].
const COLUMNS: [&str; 15] = [
    "ADDRESS",
    "STATE",
    "STATUS",
    "ID",
    "PID",
    "VERSION",
    "READY",
    "RUNNING",
    "PER_S",
    "ERRORS",
    "P95_US",
    "COST_PER_HOUR",
    "UPTIME_US",
    "AGE_US",
    "REASON",
];

/// Writes what the agents of one or more instances did.
fn write_figures(object: &mut Object<'_>, figures: &Figures) {
    write_outcomes(object, &figures.ended);
    object.decimal("calls_per_s", figures.calls_per_s());
    object.decimal("error_ratio", figures.error_ratio());
    object.plain("p95_us", figures.p95_us());
    let Spent { nanos, priced, of } = figures.spent_an_hour().unwrap_or_default();
    write_counted_cost(object, "cost_per_hour", nanos, [priced, of]);
}

fn figure_cells(figures: Option<&Figures>) -> [String; 4] {
    let Spent { nanos, priced, of } = figures.and_then(Figures::spent_an_hour).unwrap_or_default();
    [
        decimal_cell(figures.and_then(Figures::calls_per_s)),
        decimal_cell(figures.and_then(Figures::error_ratio)),
        cell(figures.and_then(Figures::p95_us)),
        counted_cost_cell(nanos, [priced, of]),
    ]
}

/// The sums over the instances that answer.
struct Totals {
    known: usize,
    answering: usize,
    left_out: usize,
    running: u64,
    figures: Figures,
}

impl Totals {
    fn of(rows: &[Row<'_>], look: &Look) -> Self {
        let answering = || rows.iter().filter(|row| *row.standing == Standing::Answers);
        let has_figures = |reading: &&Reading| reading.figures.is_some();
        let readings = || answering().filter_map(|row| row.reading).filter(has_figures);
        let mut figures = Figures::default();
        readings().filter_map(|reading| reading.figures.as_ref()).for_each(|own| figures.add(own));
        Self {
            known: rows.len() + look.left_out,
            answering: readings().count(),
            left_out: look.left_out,
            running: readings().map(|reading| reading.running).sum(),
            figures,
        }
    }

    fn write(&self, object: &mut Object<'_>) {
        let mut totals = Object::open(object.key("totals"));
        totals.plain("known", Some(self.known));
        totals.plain("answering", Some(self.answering));
        totals.plain("left_out", Some(self.left_out));
        totals.plain("running", Some(self.running));
        write_figures(&mut totals, &self.figures);
        totals.close();
    }

    fn table(&self) -> Table {
        let mut table = Table::new(&[
            "INSTANCES",
            "ANSWERING",
            "LEFT_OUT",
            "RUNNING",
            "PER_S",
            "ERRORS",
            "P95_US",
            "COST_PER_HOUR",
            "SUCCESS",
            "ERROR",
            "PANIC",
            "CANCELLED",
        ]);
        let counts = [self.known, self.answering, self.left_out].map(|count| count.to_string());
        let ended = self.figures.ended.map(|count| count.to_string());
        let cells = counts.into_iter().chain([self.running.to_string()]);
        table.row(cells.chain(figure_cells(Some(&self.figures))).chain(ended));
        table
    }
}

/// Passes on what another instance answers.
pub(super) async fn pass(api: &Api, instance: &str, request: Request) -> Result<Response<Body>, Refusal> {
    let (head, _) = request.into_parts();
    let no_peers =
        || Refusal::new(StatusCode::NOT_FOUND, "the page knows no other instances; set `Dashboard::peers`");
    let fleet = api.endpoints.fleet.as_ref().ok_or_else(no_peers)?;
    if has_dots(target(&head.uri)) {
        return Err(Refusal::new(StatusCode::NOT_FOUND, "no such route; a path has no segment `.` or `..`"));
    }
    let address = fleet.find(instance, &own_identity()).await.ok_or_else(|| unknown(instance))?;
    let shown: String = instance.chars().take(64).collect();
    match fleet.pass(address, &head.method, target(&head.uri), &head.headers).await {
        Passed::Whole(status, form, body) => Ok(response(status, form, Body::new(body))),
        Passed::Stream(events) => {
            let Some(guest) = api.clients.let_guest_in() else {
                let text = format!("{MOST} pages follow this process; close one of them");
                return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, &text));
            };
            let events = Events::new(events, guest, Arc::clone(&api.endpoints));
            let form = HeaderValue::from_static("text/event-stream");
            Ok(response(StatusCode::OK, form, Body::new(events)))
        }
        Passed::Refused(reason) => {
            let text = format!("the answer of instance `{shown}` is not passed on: {reason}");
            Err(Refusal::new(StatusCode::BAD_GATEWAY, &text))
        }
        Passed::Silent(reason) => {
            let text = format!("the instance `{shown}` does not answer: {reason}");
            Err(Refusal::new(StatusCode::GATEWAY_TIMEOUT, &text))
        }
    }
}

/// 404: there is no such instance.
pub(in crate::monitor) fn unknown(instance: &str) -> Refusal {
    let shown: String = instance.chars().take(64).collect();
    let text = format!("there is no instance `{shown}`; /monitor/api/v1/instances has all of them");
    Refusal::new(StatusCode::NOT_FOUND, &text)
}

/// The rest of the path behind the root of the API, and the query.
fn target(uri: &Uri) -> &str {
    let whole = uri.path_and_query().map_or("", |whole| whole.as_str());
    whole.split_once("/api/v1/").map_or("", |(_, target)| target)
}

/// Whether a segment of the path is `.` or `..`. A proxy before the instance might follow it to a route that is none of the API.
fn has_dots(target: &str) -> bool {
    let path = target.split('?').next().unwrap_or_default();
    path.split('/').any(|segment| {
        let plain = segment.to_ascii_lowercase().replace("%2e", ".");
        matches!(&*plain, "." | "..")
    })
}

/// Headers of the other instance are left out, its cookies above all.
fn response(status: StatusCode, form: HeaderValue, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, form);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The events of another instance, until either process drains or ends.
struct Events {
    theirs: Passing,
    looks: Interval,
    endpoints: Arc<Endpoints>,
    /// Whether the last bytes ended an event, so that one of our own may follow.
    is_between: bool,
    is_over: bool,
    _guest: Guest,
}

impl Events {
    fn new(events: Passing, guest: Guest, endpoints: Arc<Endpoints>) -> Self {
        Self {
            theirs: events,
            looks: interval(LOOK),
            endpoints,
            is_between: true,
            is_over: false,
            _guest: guest,
        }
    }

    /// Whether this process drains. Otherwise the task is woken for the next look.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> bool {
        while self.looks.poll_tick(cx).is_ready() {
            if self.endpoints.engine.is_draining() {
                return true;
            }
        }
        false
    }
}

impl http_body::Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        if self.poll_drain(cx) {
            self.is_over = true;
            return Poll::Ready(self.is_between.then(|| Ok(Frame::data(bye()))));
        }
        let polled = self.theirs.poll_next(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            self.is_between = frame.data_ref().is_none_or(|data| data.ends_with(b"\n\n"));
        }
        self.is_over = matches!(polled, Poll::Ready(None));
        polled
    }
}
