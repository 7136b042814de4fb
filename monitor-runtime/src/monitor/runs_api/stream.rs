//! The event stream of the live page.

use std::time::SystemTime;

use ::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use ::http::{HeaderValue, Response, StatusCode};
use axum::body::Body;
use axum::extract::Request;

use super::clients::{Came, Events, MOST, Topic, Topics};
use super::events::{event, now_id};
use super::object::{Object, epoch_micros};
use super::refusal::Refusal;
use super::{Api, feed, frame, recorded};
use crate::monitor::fleet::LAST_EVENT_ID;
use crate::run::ParseRunIdError;

/// The version of the events and of the answers, which the page knows.
const SCHEMA: u8 = 1;

/// The oldest last event, in milliseconds, after which the first events make up for a gap: ticks come once a second.
const GAP: u64 = 2_500;

/// Answers with events until the client leaves or the process drains.
pub(super) fn follow(api: &Api, request: &Request) -> Result<Response<Body>, Refusal> {
    let (topics, last) = parse(request)?;
    let runs = recorded()?;
    let hello = event("hello", |object| {
        object.plain("schema", Some(SCHEMA));
        frame::write_instance(object, api);
        object.plain("server_time_us", Some(epoch_micros(SystemTime::now())));
        let mut intervals = Object::open(object.key("intervals"));
        intervals.plain("tick_ms", Some(feed::TICK.as_millis()));
        intervals.plain("run_ms", Some(feed::LOOK.as_millis()));
        intervals.close();
    });
    let has_gap = last.is_some_and(|last| {
        topics.miss_events() || now_id().checked_sub(last).is_none_or(|since| since > GAP)
    });
    let resync = has_gap.then(|| event("resync", |_| {}));
    let events = match api.clients.let_in(topics, [hello].into_iter().chain(resync)) {
        Came::First(events, feeding) => {
            tokio::spawn(feed::feed(api.clone(), feeding, runs));
            events
        }
        Came::Further(events) => events,
        Came::Not => {
            let text = format!("{MOST} pages follow this process; close one of them");
            return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, &text));
        }
    };
    Ok(answer(events))
}

fn answer(events: Events) -> Response<Body> {
    let mut response = Response::new(Body::new(events));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Reads the topics and the id of the last event that the client has seen. An id that is not of this process is that of a gap.
fn parse(request: &Request) -> Result<(Topics, Option<u64>), Refusal> {
    let (mut topics, mut last) = (Topics::default(), None);
    let read = |id: &str| id.parse().unwrap_or(u64::MAX);
    for (name, value) in form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()) {
        match &*name {
            "topics" => {
                for topic in value.split(',').filter(|topic| !topic.is_empty()) {
                    add(&mut topics, topic)?;
                }
            }
            "last_event_id" => last = Some(read(&value)),
            _ => return Err(Refusal::bad("there are the parameters topics and last_event_id")),
        }
    }
    let header = request.headers().get(LAST_EVENT_ID);
    let header = header.filter(|id| !id.is_empty()).map(|id| read(id.to_str().unwrap_or_default()));
    Ok((topics, header.or(last)))
}

fn add(topics: &mut Topics, topic: &str) -> Result<(), Refusal> {
    match topic {
        // The parts of every answer come to everybody.
        "frame" => {}
        "now" => topics.list.push(Topic::Now),
        "runs" => topics.list.push(Topic::Runs),
        "logs" => topics.list.push(Topic::Logs),
        "health" => topics.list.push(Topic::Health),
        _ => {
            let unknown = || Refusal::bad("there are the topics now, run:{id}, runs, logs, health and frame");
            let id = topic.strip_prefix("run:").ok_or_else(unknown)?;
            let id = id.parse().map_err(|error: ParseRunIdError| Refusal::bad(&error.to_string()))?;
            topics.run = Some(id);
        }
    }
    Ok(())
}
