//! The readiness, and each check with what it did before.

use std::time::SystemTime;

use axum::extract::Request;

use super::object::{Object, Table, cell, epoch_micros, micros, one_line, text_answer};
use super::query::{Format, Query};
use super::{Answer, Api, formed, recorded};
use crate::health::{Past, Rules, Transition, View};
use crate::monitor_route::MonitorRoute;

/// A check with its rules and its past.
type Checked<'c> = (&'c View<'c>, &'c Rules, &'c Past);

/// The checks, by name.
pub(super) fn checks(api: &Api, request: &Request) -> Answer {
    let query = Query::parse(request, &[])?;
    let runs = recorded()?;
    let engine = &api.endpoints.engine;
    let health = engine.health();
    let (rules, past, transitions) = (engine.rules(), engine.past(), engine.transitions());
    let checks =
        || health.checks.iter().zip(&rules).zip(&past).map(|((view, rules), past)| (view, *rules, past));
    if query.format == Format::Text {
        let verdict = api.endpoints.answer_route(MonitorRoute::Ready, Some("verbose"), request.headers());
        let verdict = String::from_utf8_lossy(verdict.body()).into_owned();
        return Ok(text_answer(if health.checks.is_empty() {
            verdict
        } else {
            table(checks()).aligned() + "\n" + &verdict
        }));
    }
    let write = |object: &mut Object<'_>| {
        object.text("status", health.status());
        object.list("checks", checks(), write_check);
        object.list("history", transitions.iter(), write_transition);
    };
    Ok(formed(api, runs, Format::Json, write, String::new))
}

/// When a check was read last, by its age.
fn read_at(view: &View<'_>) -> Option<SystemTime> {
    SystemTime::now().checked_sub(view.age?)
}

fn write_check(out: &mut Vec<u8>, (view, rules, past): Checked<'_>) {
    let mut object = Object::open(out);
    object.text("name", view.name);
    object.text("status", view.status.as_str());
    object.text("severity", view.severity.as_str());
    object.text("message", &view.message);
    let read = past.read.or_else(|| read_at(view));
    object.plain("read_us", read.map(epoch_micros));
    object.plain("latency_us", view.latency.map(micros));
    object.list("latencies_us", past.latencies.iter(), |out, latency| {
        out.extend_from_slice(micros(*latency).to_string().as_bytes());
    });
    object.plain("interval_us", Some(micros(rules.interval)));
    object.plain("timeout_us", Some(micros(rules.timeout)));
    object.plain("next_us", read.and_then(|read| read.checked_add(rules.interval)).map(epoch_micros));
    object.plain("failures_to_unhealthy", Some(rules.failure_threshold));
    object.plain("passes_to_healthy", Some(rules.success_threshold));
    object.text("strip", &past.strip.iter().collect::<String>());
    object.list("transitions", past.transitions.iter(), write_transition);
    object.close();
}

fn write_transition(out: &mut Vec<u8>, transition: &Transition) {
    let mut object = Object::open(out);
    object.plain("time_us", Some(epoch_micros(transition.at)));
    object.text("status", transition.status);
    object.maybe("reason", transition.reason.as_deref());
    object.close();
}

fn table<'c>(checks: impl Iterator<Item = Checked<'c>>) -> Table {
    let mut table = Table::new(&[
        "CHECK",
        "STATUS",
        "SEVERITY",
        "READ_US",
        "LATENCY_US",
        "INTERVAL_US",
        "TIMEOUT_US",
        "MESSAGE",
    ]);
    for (view, rules, past) in checks {
        table.row([
            view.name.to_owned(),
            view.status.as_str().to_owned(),
            view.severity.as_str().to_owned(),
            cell(past.read.or_else(|| read_at(view)).map(epoch_micros)),
            cell(view.latency.map(micros)),
            micros(rules.interval).to_string(),
            micros(rules.timeout).to_string(),
            one_line(&view.message),
        ]);
    }
    table
}
