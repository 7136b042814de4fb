//! What all agents did together, as counts that instances can be added by.

use super::object::{Object, Table, seconds_as_micros};
use crate::families::Outcome;
use crate::run::Overall;

/// Writes the counts into an answer.
pub(super) fn write(object: &mut Object<'_>, overall: &Overall) {
    let mut totals = Object::open(object.key("totals"));
    totals.plain("running", Some(overall.running));
    write_outcomes(&mut totals, &overall.ended);
    let mut minute = Object::open(totals.key("minute"));
    minute.plain("seconds", Some(overall.minute_seconds));
    minute.plain("ended", Some(overall.minute_ended));
    minute.close();
    let mut recent = Object::open(totals.key("recent"));
    recent.plain("seconds", Some(overall.seconds));
    write_outcomes(&mut recent, &overall.recent);
    let plain = |out: &mut Vec<u8>, count: u64| out.extend_from_slice(count.to_string().as_bytes());
    recent.list("bounds_us", overall.bounds.iter().copied().map(seconds_as_micros), plain);
    recent.list("durations", overall.durations.iter().copied(), plain);
    let [priced, of] = overall.priced;
    let mut cost = Object::open(recent.key("cost"));
    for (name, count) in [("nano_usd", overall.cost), ("priced", priced), ("of", of)] {
        cost.plain(name, Some(count));
    }
    cost.close();
    recent.close();
    totals.close();
}

/// Writes ended calls by outcome.
pub(super) fn write_outcomes(object: &mut Object<'_>, counts: &[u64]) {
    let mut ended = Object::open(object.key("ended"));
    for outcome in Outcome::ALL {
        ended.plain(outcome.as_str(), Some(counts[outcome as usize]));
    }
    ended.close();
}

/// The same as text, without the calls by duration.
pub(super) fn table(overall: &Overall) -> Table {
    let mut table =
        Table::new(&["ALL_AGENTS", "SECONDS", "SUCCESS", "ERROR", "PANIC", "CANCELLED", "RUNNING"]);
    let counts = |counts: &[u64]| counts.iter().map(ToString::to_string).collect::<Vec<_>>();
    let started = ["since start".to_owned(), "-".to_owned()];
    let running = [overall.running.to_string()];
    table.row(started.into_iter().chain(counts(&overall.ended)).chain(running));
    let recent = ["recently".to_owned(), overall.seconds.to_string()];
    table.row(recent.into_iter().chain(counts(&overall.recent)).chain(["-".to_owned()]));
    table
}
