//! A thousand ids that every contender has seen before, looked up on each call.

use std::time::Instant;

use super::bodies::{tracked_id, work};
use super::peers::{AgentLabels, CallLabels, Families, Vecs};

const IDS: u64 = 1_000;

pub(super) struct KnownIds {
    ids: Vec<String>,
    vecs: Vecs,
    families: Families,
}

impl KnownIds {
    pub(super) fn new() -> Self {
        let ids = (0..IDS).map(|number| format!("agent-{number:04}")).collect();
        let known = Self { ids, vecs: Vecs::new(), families: Families::new() };
        for id in &known.ids {
            tracked_id(id, 0);
            known.prometheus(id, 0);
            known.prometheus_client(id, 0);
        }
        known
    }

    /// The id of a repetition: all ids in turn, so that all are equally far from the caches.
    #[inline]
    pub(super) fn of(&self, number: u64) -> &str {
        &self.ids[(number % IDS) as usize]
    }

    #[inline(never)]
    pub(super) fn prometheus(&self, id: &str, number: u64) -> u64 {
        let active = self.vecs.active.with_label_values(&[id]);
        active.inc();
        let start = Instant::now();
        let result = work(number);
        let seconds = start.elapsed().as_secs_f64();
        self.vecs.duration.with_label_values(&[id, "success"]).observe(seconds);
        self.vecs.total.with_label_values(&[id, "success"]).inc();
        active.dec();
        result
    }

    /// A label set is made per call, as in the crate's documentation; the same one serves both families.
    #[inline(never)]
    pub(super) fn prometheus_client(&self, id: &str, number: u64) -> u64 {
        let agent = AgentLabels { agent_id: id.to_owned() };
        self.families.active.get_or_create(&agent).inc();
        let start = Instant::now();
        let result = work(number);
        let seconds = start.elapsed().as_secs_f64();
        let call = CallLabels { agent_id: id.to_owned(), status: "success" };
        self.families.duration.get_or_create(&call).observe(seconds);
        self.families.total.get_or_create(&call).inc();
        self.families.active.get_or_create(&agent).dec();
        result
    }
}
