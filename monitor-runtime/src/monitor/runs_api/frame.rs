//! The parts that every answer has besides its own: the process, its readiness, the counts of the recorder, and warnings.

use std::sync::LazyLock;
use std::time::SystemTime;

use super::Api;
use super::object::{Object, Table, cell, epoch_micros, one_line};
use crate::families::process::{self, LEVELS};
use crate::families::readings::CountedKind;
use crate::families::{CallKind, Outcome};
use crate::run::{RunFigures, Runs};

/// The start of the process, as far as this crate knows: the first use.
static STARTED: LazyLock<SystemTime> = LazyLock::new(SystemTime::now);

/// The part of failed calls of an agent without an objective that is worth a warning, and the calls for it to count.
const WORRYING: f64 = 0.05;
const ENOUGH_CALLS: u64 = 20;

/// Notes the start of the process.
pub(super) fn note_start() {
    LazyLock::force(&STARTED);
}

/// A sentence about a thing that is wrong now.
pub(super) struct Warning {
    level: &'static str,
    /// Stable while the same is wrong, so that a screen reader says it once.
    text: String,
    /// Since when, if that is known.
    since: Option<SystemTime>,
    /// The path below the root of the page.
    link: String,
}

/// Writes the parts into an answer.
pub(super) fn write(object: &mut Object<'_>, api: &Api, runs: Runs) {
    object.plain("server_time_us", Some(epoch_micros(SystemTime::now())));
    write_instance(object, api);
    let health = api.endpoints.engine.health();
    let transitions = api.endpoints.engine.transitions();
    let mut ready = Object::open(object.key("ready"));
    ready.text("status", health.status());
    ready.plain("since_us", transitions.first().map(|transition| epoch_micros(transition.at)));
    ready.close();
    let mut keeps = Object::open(object.key("keeps"));
    write_keeps(&mut keeps, runs);
    keeps.close();
    object.list("banner", warnings(api, runs).iter(), |out, warning| {
        let mut object = Object::open(out);
        object.text("level", warning.level);
        object.text("text", &warning.text);
        object.known("since_us", warning.since.map(epoch_micros));
        object.text("link", &warning.link);
        object.close();
    });
}

pub(super) fn write_instance(object: &mut Object<'_>, api: &Api) {
    let (service, version) = &api.endpoints.service;
    let mut instance = Object::open(object.key("instance"));
    instance.text("service", service);
    instance.text("version", version);
    instance.text("id", instance_id());
    instance.plain("pid", Some(std::process::id()));
    instance.plain("started_us", Some(started_us()));
    #[cfg(feature = "dashboard")]
    instance.known("instances", api.endpoints.fleet.as_ref().map(crate::monitor::fleet::Fleet::known));
    instance.close();
}

pub(super) fn started_us() -> u128 {
    epoch_micros(*STARTED)
}

/// The name of the pod or the host.
pub(super) fn instance_id() -> &'static str {
    static ID: LazyLock<String> = LazyLock::new(|| {
        let given = std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty());
        let read = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
        given.or_else(read).map_or_else(|| "unknown".to_owned(), |name| name.trim().to_owned())
    });
    &ID
}

/// Writes the counts of the recorder, and those of log lines.
pub(super) fn write_keeps(object: &mut Object<'_>, runs: Runs) {
    write_figures(object, &runs.figures());
    object.plain("oldest_us", runs.oldest_end().map(epoch_micros));
    let metrics = process::metrics();
    let lines = LEVELS.iter().map(|level| metrics.log_events.with_label_values(&[*level]).get());
    object.plain("log_lines", Some(lines.sum::<u64>()));
    object.plain("log_dropped", Some(metrics.log_dropped.get()));
}

/// Writes the counts of the recorder.
pub(super) fn write_figures(object: &mut Object<'_>, figures: &RunFigures) {
    for (name, figure) in rows_of(figures) {
        object.plain(name, Some(figure));
    }
}

pub(super) fn rows_of(figures: &RunFigures) -> [(&'static str, u64); 8] {
    let RunFigures { running, kept, ended, evicted, lost, lost_events, bytes, memory } = *figures;
    [
        ("running", running as u64),
        ("kept", kept as u64),
        ("ended", ended),
        ("evicted", evicted),
        ("lost", lost),
        ("lost_events", lost_events),
        ("bytes", bytes as u64),
        ("memory", memory as u64),
    ]
}

/// Everything that is wrong now; empty if nothing is.
pub(super) fn warnings(api: &Api, runs: Runs) -> Vec<Warning> {
    let mut warnings: Vec<_> = readiness(api).into_iter().collect();
    warnings.extend(failing_agents(runs));
    let faults = runs.faults();
    let counted = [
        (faults.log_dropped, "log lines were dropped", "logs"),
        (
            faults.overflows,
            "calls or requests were counted as `__overflow__`, since the series limit is reached",
            "about",
        ),
        (faults.otlp_dropped, "items of the OTLP export were dropped", "about"),
        (faults.runs_lost, "runs were not recorded", "about"),
        (faults.events_lost, "events of runs were lost", "about"),
    ];
    for (count, what, link) in counted {
        if count > 0 {
            let text = format!("In the last five minutes, {count} {what}.");
            warnings.push(Warning { level: "warn", text, since: None, link: link.to_owned() });
        }
    }
    warnings
}

/// The same as text; `None` if nothing is wrong.
pub(super) fn banner(api: &Api, runs: Runs) -> Option<Table> {
    let warnings = warnings(api, runs);
    let mut table = Table::new(&["BANNER", "SINCE_US", "LINK", "TEXT"]);
    for warning in &warnings {
        table.row([
            warning.level.to_owned(),
            cell(warning.since.map(epoch_micros)),
            one_line(&warning.link),
            one_line(&warning.text),
        ]);
    }
    (!warnings.is_empty()).then_some(table)
}

fn readiness(api: &Api) -> Option<Warning> {
    let health = api.endpoints.engine.health();
    let since = api.endpoints.engine.transitions().first().map(|transition| transition.at);
    let text = match health.status() {
        "ready" => return None,
        "draining" => "Draining.".to_owned(),
        _ => format!("Not ready: {}.", health.stable_reason()),
    };
    let level = if health.draining { "warn" } else { "bad" };
    Some(Warning { level, text, since, link: "health".to_owned() })
}

/// The agents that fail more often than their objective allows.
fn failing_agents(runs: Runs) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let kind = CountedKind::Call(CallKind::Agent);
    runs.each_id(kind, |reading, recent| {
        let Some(recent) = recent.filter(|recent| recent.ended.iter().sum::<u64>() >= ENOUGH_CALLS) else {
            return;
        };
        let failed = recent.part(&[Outcome::Error, Outcome::Panic]).unwrap_or(0.0);
        let objective = reading.objective.and_then(|objective| objective.success);
        let allowed = objective.map_or(WORRYING, |share| 1.0 - share.ratio);
        if failed > allowed {
            let (name, _) = kind.names(reading.labels);
            let (percent, allowed) = (failed * 100.0, allowed * 100.0);
            let beside =
                if objective.is_some() { format!(" (objective {allowed:.2} %)") } else { String::new() };
            let text = format!("{name}: {percent:.1} % errors in the last five minutes{beside}.");
            let level = if objective.is_some() { "bad" } else { "warn" };
            let name: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
            warnings.push(Warning {
                level,
                text,
                since: None,
                link: format!("calls/agent/{}", name.replace('+', "%20")),
            });
        }
    });
    warnings
}
