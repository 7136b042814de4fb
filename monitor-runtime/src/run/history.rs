//! What the registry counted in the last minutes: the points of plots, and what each id did in the last minute and in the last
//! five.
//!
//! Once a second the recorder's thread reads every id. Totals become points: 300 of a second, and 360 of ten seconds. Of at
//! most 64 ids a kind, the number of ended calls is kept for each of the last 60 seconds, and the buckets for each of the
//! last 30 times ten seconds, so a quantile of the last five minutes is that of a difference between two readings. Of a model,
//! the latter also have the buckets of the first chunks, and the output tokens.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, SystemTime};

use foldhash::fast::RandomState;

use crate::families::readings::{CountedKind, ModelReading, OUTCOMES, Reading, quantile};
use crate::families::{CallKind, Outcome, models, process};

/// The points that are kept, a second apart.
const SECONDS: usize = 300;
/// The points that are kept, ten seconds apart.
const TENS: usize = 360;
const TEN: u64 = 10;

/// The ids of a kind whose last minutes are kept: those with the most calls.
const MOST_IDS: usize = 64;

/// The readings of buckets of an id, ten seconds apart.
const WINDOW: usize = 30;
const MINUTE: usize = 60;

/// The series of the plots, in the order of a [`Point`].
pub(crate) const SERIES: [&str; PLOTTED] = [
    "runs.success",
    "runs.error",
    "runs.panic",
    "runs.cancelled",
    "agents.p50_us",
    "agents.p95_us",
    "in_flight.agent",
    "in_flight.skill",
    "in_flight.model",
    "in_flight.query",
    "tokens.cached_input",
    "tokens.uncached_input",
    "tokens.output",
    "cost.usd_per_hour",
];
const PLOTTED: usize = 14;

/// The values of one moment; NaN where there is none.
pub(crate) type Point = [f32; PLOTTED];

/// Counters of what goes wrong in the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Faults {
    pub(crate) log_dropped: u64,
    pub(crate) overflows: u64,
    pub(crate) otlp_dropped: u64,
    pub(crate) runs_lost: u64,
    pub(crate) events_lost: u64,
}

/// What an id did in the last minutes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Recent {
    /// Calls that ended, a second, over the last minute.
    pub(crate) calls_per_s: f64,
    /// The quantiles of the last five minutes in seconds; `None` without calls.
    pub(crate) p50: Option<f64>,
    pub(crate) p95: Option<f64>,
    pub(crate) p99: Option<f64>,
    /// Calls that ended in the last five minutes, by outcome.
    pub(crate) ended: [u64; OUTCOMES],
    /// Calls that ended in each of the last 60 seconds, the newest last.
    pub(crate) spark: Vec<u32>,
    /// What only models have.
    pub(crate) model: Option<RecentModel>,
}

/// The replies of a model in the last five minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct RecentModel {
    /// The quantiles of the time to the first chunk in seconds; `None` without streamed replies.
    pub(crate) first_chunk_p50: Option<f64>,
    pub(crate) first_chunk_p95: Option<f64>,
    /// Output tokens a second; `None` if no call has ever reported any.
    pub(crate) output_per_s: Option<f64>,
}

impl Recent {
    /// The part of the calls of the last five minutes that ended so; `None` without calls.
    pub(crate) fn part(&self, outcomes: &[Outcome]) -> Option<f64> {
        let total: u64 = self.ended.iter().sum();
        let of: u64 = outcomes.iter().map(|outcome| self.ended[*outcome as usize]).sum();
        (total > 0).then(|| of as f64 / total as f64)
    }
}

/// What all agents did together.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Overall {
    /// Calls in flight.
    pub(crate) running: u64,
    /// Ended calls since the start of the process.
    pub(crate) ended: [u64; OUTCOMES],
    /// The seconds that `minute_ended` covers, at most 60; 0 before the second reading.
    pub(crate) minute_seconds: u64,
    pub(crate) minute_ended: u64,
    /// The seconds that the fields from here on cover, at most 300.
    pub(crate) seconds: u64,
    pub(crate) recent: [u64; OUTCOMES],
    /// The upper bounds of `durations` in seconds, without `+Inf`.
    pub(crate) bounds: &'static [f64],
    /// Calls up to each bound, `+Inf` last.
    pub(crate) durations: Vec<u64>,
    /// Nano-dollars.
    pub(crate) cost: u64,
    /// Model calls with a price, and all of them.
    pub(crate) priced: [u64; 2],
}

/// Points at equal distances.
#[derive(Debug, Default)]
pub(crate) struct Points {
    pub(crate) from: Duration,
    pub(crate) step: Duration,
    pub(crate) values: Vec<Point>,
}

/// Sums over all ids at one moment.
#[derive(Clone, Debug, Default)]
struct Totals {
    runs: [u64; OUTCOMES],
    /// Ended calls of agents.
    ended: [u64; OUTCOMES],
    agents: Vec<u64>,
    in_flight: [u64; 4],
    models: models::Totals,
    /// Model calls without usage.
    without_usage: u64,
}

impl Totals {
    fn read(runs: [u64; OUTCOMES]) -> Self {
        let mut totals = Self { runs, models: models::totals(), ..Self::default() };
        models::each_unknown(|_, count| totals.without_usage += count);
        totals
    }

    fn add_agent(&mut self, reading: &Reading<'_>) {
        add(&mut self.agents, reading.all);
        self.ended.iter_mut().zip(reading.ended).for_each(|(sum, count)| *sum += count);
    }

    /// Model calls with a price, and all of them.
    fn priced(&self) -> [u64; 2] {
        let [priced, unpriced] = self.models.calls;
        [priced, priced + unpriced + self.without_usage]
    }
}

/// The history of the process since the recorder was started.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// Ticks so far, one a second.
    ticks: u64,
    /// The time of the last tick since 1970.
    at: Duration,
    seconds: VecDeque<Point>,
    tens: VecDeque<Point>,
    /// Those of the last second, and of the last time ten.
    last: [Totals; 2],
    /// The tick of the latter.
    ten_at: u64,
    /// The ended calls of agents after each second.
    ended: VecDeque<u64>,
    /// The ticks and the totals of readings ten seconds apart.
    window: VecDeque<(u64, Totals)>,
    /// The upper bounds of the agents' buckets.
    bounds: &'static [f64],
    ids: HashMap<(CountedKind, usize), Id, RandomState>,
    faults: VecDeque<Faults>,
    /// The maximum of [`bytes`](Self::bytes).
    most_bytes: usize,
    id_bytes: usize,
}

impl History {
    pub(crate) fn new(most_bytes: usize) -> Self {
        Self { most_bytes, ..Self::default() }
    }

    /// The number of ids whose last minutes are kept.
    pub(crate) fn ids(&self) -> usize {
        self.ids.len()
    }

    /// The bytes of all points and ids.
    pub(crate) fn bytes(&self) -> usize {
        let buckets = (self.bounds.len() + 1) * size_of::<u64>();
        let window = WINDOW * (size_of::<(u64, Totals)>() + buckets) + (MINUTE + 1) * size_of::<u64>();
        (SECONDS + TENS) * size_of::<Point>() + WINDOW * size_of::<Faults>() + window + self.id_bytes
    }

    /// Reads the registry, one second after the last time. `runs` are the ended ones by outcome.
    ///
    /// `skipped` seconds before this one had no reading.
    pub(crate) fn tick(&mut self, skipped: u64, runs: [u64; OUTCOMES], lost: [u64; 2]) {
        self.at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        for _ in 0..skipped.min(SECONDS as u64) {
            push(&mut self.seconds, SECONDS, [f32::NAN; PLOTTED]);
        }
        let before = self.ticks;
        self.ticks += skipped + 1;
        // The first reading is the zero of all differences.
        let is_first = before == 0;
        let tens = if is_first { 1 } else { self.ticks / TEN - before / TEN };
        let now = self.read(runs, is_first, tens, skipped);
        if !is_first {
            push(&mut self.seconds, SECONDS, point(&self.last[0], &now, self.bounds, skipped + 1));
            for _ in 1..tens.min(TENS as u64) {
                push(&mut self.tens, TENS, [f32::NAN; PLOTTED]);
            }
            if tens > 0 {
                let seconds = self.ticks - self.ten_at;
                push(&mut self.tens, TENS, point(&self.last[1], &now, self.bounds, seconds));
            }
        }
        if tens > 0 {
            for _ in 0..tens.min(WINDOW as u64) {
                push(&mut self.faults, WINDOW, faults(lost));
            }
            push(&mut self.window, WINDOW, (self.ticks, now.clone()));
            // After seconds without a reading, the first ones are older than the window.
            while self.window.front().is_some_and(|(at, _)| self.ticks - at > WINDOW as u64 * TEN) {
                self.window.pop_front();
            }
            self.last[1] = now.clone();
            self.ten_at = self.ticks;
            self.drop_small_ids();
        }
        // A second without a reading counts as one without a call.
        for _ in 0..=skipped.min(MINUTE as u64) {
            push(&mut self.ended, MINUTE + 1, now.ended.iter().sum());
        }
        self.last[0] = now;
    }

    fn read(&mut self, runs: [u64; OUTCOMES], is_first: bool, tens: u64, skipped: u64) -> Totals {
        let mut totals = Totals::read(runs);
        for kind in CountedKind::ALL {
            let mut ids = self.ids.keys().filter(|(of, _)| *of == kind).count();
            kind.each(&mut |reading| {
                if let CountedKind::Call(call) = kind {
                    totals.in_flight[call as usize] += reading.running;
                }
                if kind == CountedKind::Call(CallKind::Agent) {
                    self.bounds = reading.bounds;
                    totals.add_agent(reading);
                }
                ids += usize::from(self.note(kind, reading, (ids, is_first), [tens, skipped]));
            });
        }
        totals
    }

    /// Keeps the reading of an id. Returns whether the id is new.
    fn note(
        &mut self,
        kind: CountedKind,
        reading: &Reading<'_>,
        (ids, is_first): (usize, bool),
        [tens, skipped]: [u64; 2],
    ) -> bool {
        let key = (kind, std::ptr::from_ref(reading.labels).addr());
        if let Some(id) = self.ids.get_mut(&key) {
            id.note(reading, tens, skipped);
            return false;
        }
        let bytes = Id::bytes(words(reading).count());
        // Once in a while more are let in than stay, so that a busy id replaces one that has become quiet.
        let most = if tens > 0 { 2 * MOST_IDS } else { MOST_IDS };
        let is_unused = reading.running == 0 && reading.ended.iter().all(|count| *count == 0);
        if ids >= most || is_unused || self.bytes() + bytes > self.most_bytes {
            return false;
        }
        self.id_bytes += bytes;
        let mut id = Id::default();
        // What was counted before the recorder was started is older than five minutes, as far as anybody knows.
        if is_first || ids >= MOST_IDS {
            id.begin_at(reading);
        }
        id.note(reading, 1, 0);
        self.ids.insert(key, id);
        true
    }

    /// Drops the ids with the fewest calls, if there are too many of a kind.
    fn drop_small_ids(&mut self) {
        for kind in CountedKind::ALL {
            let mut ids: Vec<_> = self.ids.iter().filter(|((of, _), _)| *of == kind).collect();
            if ids.len() <= MOST_IDS {
                continue;
            }
            ids.sort_by_key(|(_, id)| std::cmp::Reverse(id.ended()));
            let small: Vec<_> = ids.iter().skip(MOST_IDS).map(|(key, id)| (**key, id.words)).collect();
            for (key, words) in small {
                self.ids.remove(&key);
                self.id_bytes -= Id::bytes(words);
            }
        }
    }

    /// What all agents did together until now.
    pub(crate) fn overall(&self) -> Overall {
        let mut now = Totals::read([0; OUTCOMES]);
        let (mut running, mut bounds) = (0, self.bounds);
        CountedKind::Call(CallKind::Agent).each(&mut |reading| {
            running += reading.running;
            bounds = reading.bounds;
            now.add_agent(reading);
        });
        self.since(&now, running, bounds)
    }

    /// The differences between the kept readings and this one.
    fn since(&self, now: &Totals, running: u64, bounds: &'static [f64]) -> Overall {
        let total: u64 = now.ended.iter().sum();
        let (ticks, before) = self
            .window
            .front()
            .map_or_else(|| (self.ticks, now.clone()), |(ticks, totals)| (*ticks, totals.clone()));
        let earlier = before.agents.iter().copied().chain(std::iter::repeat(0));
        let durations = now.agents.iter().zip(earlier).map(|(now, before)| now.saturating_sub(before));
        let mut recent = now.ended;
        recent.iter_mut().zip(before.ended).for_each(|(now, before)| *now = now.saturating_sub(before));
        let cost = |totals: &Totals| totals.models.cost.unwrap_or(0);
        let [[priced, of], [priced_before, of_before]] = [now.priced(), before.priced()];
        Overall {
            running,
            ended: now.ended,
            minute_seconds: self.ended.len().saturating_sub(1) as u64,
            minute_ended: total.saturating_sub(self.ended.front().copied().unwrap_or(total)),
            seconds: self.ticks - ticks,
            recent,
            bounds,
            durations: durations.collect(),
            cost: cost(now).saturating_sub(cost(&before)),
            priced: [priced.saturating_sub(priced_before), of.saturating_sub(of_before)],
        }
    }

    /// The points of the last seconds: a second apart up to 300 seconds, else ten.
    pub(crate) fn points(&self, seconds: u64) -> Points {
        let (kept, step, last) = if seconds <= SECONDS as u64 {
            (&self.seconds, 1, self.at)
        } else {
            (&self.tens, TEN, self.at.saturating_sub(Duration::from_secs(self.ticks % TEN)))
        };
        let wanted = usize::try_from(seconds / step).unwrap_or(usize::MAX).min(kept.len());
        let values: Vec<_> = kept.iter().skip(kept.len() - wanted).copied().collect();
        let step = Duration::from_secs(step);
        let back = u32::try_from(values.len().saturating_sub(1)).unwrap_or(0);
        Points { from: last.saturating_sub(step * back), step, values }
    }

    /// What an id did in the last minutes; `None` if that is not kept.
    pub(crate) fn recent(&self, kind: CountedKind, reading: &Reading<'_>) -> Option<Recent> {
        let key = (kind, std::ptr::from_ref(reading.labels).addr());
        Some(self.ids.get(&key)?.recent(reading, self.ticks - self.ten_at))
    }

    /// What went wrong in the last five minutes.
    pub(crate) fn faults(&self, lost: [u64; 2]) -> Faults {
        let (now, before) = (faults(lost), self.faults.front().copied().unwrap_or_default());
        Faults {
            log_dropped: now.log_dropped.saturating_sub(before.log_dropped),
            overflows: now.overflows.saturating_sub(before.overflows),
            otlp_dropped: now.otlp_dropped.saturating_sub(before.otlp_dropped),
            runs_lost: now.runs_lost.saturating_sub(before.runs_lost),
            events_lost: now.events_lost.saturating_sub(before.events_lost),
        }
    }
}

fn push<T>(ring: &mut VecDeque<T>, most: usize, value: T) {
    if ring.len() >= most {
        ring.pop_front();
    }
    ring.push_back(value);
}

fn add(sums: &mut Vec<u64>, counts: &[u64]) {
    sums.resize(counts.len().max(sums.len()), 0);
    sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
}

/// Reads the counters of what goes wrong.
fn faults([runs_lost, events_lost]: [u64; 2]) -> Faults {
    let metrics = process::metrics();
    Faults {
        log_dropped: metrics.log_dropped.get(),
        overflows: process::sum(&metrics.series_overflow),
        otlp_dropped: process::sum(&metrics.otlp_dropped),
        runs_lost,
        events_lost,
    }
}

/// The point between two readings.
#[expect(clippy::cast_possible_truncation, reason = "a plot needs no more than seven digits")]
fn point(before: &Totals, now: &Totals, bounds: &[f64], seconds: u64) -> Point {
    let a_second = |now: u64, before: u64| (now.saturating_sub(before) as f64 / seconds as f64) as f32;
    let runs = |outcome: Outcome| a_second(now.runs[outcome as usize], before.runs[outcome as usize]);
    let earlier = before.agents.iter().copied().chain(std::iter::repeat(0));
    let agents: Vec<_> =
        now.agents.iter().zip(earlier).map(|(now, before)| now.saturating_sub(before)).collect();
    let micros = |part| quantile(part, bounds, &agents).map_or(f32::NAN, |seconds| (seconds * 1e6) as f32);
    // A total that no call has reported yet is unknown, not zero.
    let used = |of: fn(&models::Totals) -> Option<u64>| {
        of(&now.models).map_or(f32::NAN, |now| a_second(now, of(&before.models).unwrap_or(0)))
    };
    let cached = used(|totals| totals.cached_input);
    let uncached = |totals: &models::Totals| {
        totals.input.map(|input| input.saturating_sub(totals.cached_input.unwrap_or(0)))
    };
    let in_flight = |kind: CallKind| now.in_flight[kind as usize] as f32;
    [
        runs(Outcome::Success),
        runs(Outcome::Error),
        runs(Outcome::Panic),
        runs(Outcome::Cancelled),
        micros(0.5),
        micros(0.95),
        in_flight(CallKind::Agent),
        in_flight(CallKind::Skill),
        in_flight(CallKind::Model),
        in_flight(CallKind::Query),
        cached,
        used(uncached),
        used(|totals| totals.output),
        // Nano-dollars a second.
        used(|totals| totals.cost) * (3_600.0 / 1e9),
    ]
}

/// The last minutes of an id. Counts are modulo 2^32, of which differences are exact.
#[derive(Debug, Default)]
struct Id {
    /// The length of a reading.
    words: usize,
    /// Ended calls after each second.
    seconds: VecDeque<u32>,
    /// Readings ten seconds apart: ended calls by outcome, then those up to each bound. Of a model, the streams up to each bound
    /// and the output tokens follow.
    tens: VecDeque<Box<[u32]>>,
    ended: u64,
}

#[expect(clippy::cast_possible_truncation, reason = "the counts are modulo 2^32")]
fn modulo(count: u64) -> u32 {
    count as u32
}

impl Id {
    /// The bytes of an id with readings of this length, when full.
    fn bytes(words: usize) -> usize {
        let reading = words * size_of::<u32>() + size_of::<Box<[u32]>>();
        size_of::<Self>() + 64 + (MINUTE + 4) * size_of::<u32>() + (WINDOW + 2) * (reading + 16)
    }

    /// Takes the reading as the one before the first.
    fn begin_at(&mut self, reading: &Reading<'_>) {
        self.seconds.push_back(modulo(reading.ended.iter().sum()));
        self.tens.push_back(words(reading).collect());
    }

    /// Takes the reading of a second, with which so many times ten seconds are over.
    fn note(&mut self, reading: &Reading<'_>, tens: u64, skipped: u64) {
        self.words = words(reading).count();
        self.ended = reading.ended.iter().sum();
        if self.seconds.is_empty() {
            self.seconds.push_back(0);
            self.tens.push_back(vec![0; self.words].into());
        }
        for _ in 0..=skipped.min(MINUTE as u64) {
            push(&mut self.seconds, MINUTE + 1, modulo(self.ended));
        }
        for _ in 0..tens.min(WINDOW as u64) {
            push(&mut self.tens, WINDOW, words(reading).collect());
        }
    }

    fn ended(&self) -> u64 {
        self.ended
    }

    /// What it did in the last minutes, so many seconds after its newest reading of ten seconds.
    fn recent(&self, reading: &Reading<'_>, since: u64) -> Recent {
        let now = modulo(reading.ended.iter().sum());
        let seconds = self.seconds.len().saturating_sub(1).max(1);
        let first = self.seconds.front().copied().unwrap_or(now);
        let each = self.seconds.iter().zip(self.seconds.iter().skip(1));
        let empty: Box<[u32]> = vec![0; words(reading).count()].into();
        let before = self.tens.front().unwrap_or(&empty);
        let between: Vec<u64> =
            words(reading).zip(before).map(|(now, before)| u64::from(now.wrapping_sub(*before))).collect();
        let (outcomes, rest) = between.split_at(OUTCOMES.min(between.len()));
        let (counts, of_model) = rest.split_at(reading.all.len().min(rest.len()));
        let mut ended = [0; OUTCOMES];
        ended.iter_mut().zip(outcomes).for_each(|(ended, count)| *ended = *count);
        let quantile = |part| quantile(part, reading.bounds, counts);
        Recent {
            calls_per_s: f64::from(now.wrapping_sub(first)) / seconds as f64,
            p50: quantile(0.5),
            p95: quantile(0.95),
            p99: quantile(0.99),
            ended,
            spark: each.map(|(before, now)| now.wrapping_sub(*before)).collect(),
            model: reading.model.map(|model| {
                let seconds = (TEN * (self.tens.len() as u64).saturating_sub(1) + since).max(1);
                recent_model(model, reading.bounds, of_model, seconds)
            }),
        }
    }
}

/// What a model did in the seconds between two readings, of which this is the difference.
fn recent_model(model: ModelReading<'_>, bounds: &[f64], between: &[u64], seconds: u64) -> RecentModel {
    let (first_chunks, output) = between.split_at(model.first_chunks.len().min(between.len()));
    let output = output.first().filter(|_| model.output.is_some());
    RecentModel {
        first_chunk_p50: quantile(0.5, bounds, first_chunks),
        first_chunk_p95: quantile(0.95, bounds, first_chunks),
        output_per_s: output.map(|tokens| *tokens as f64 / seconds as f64),
    }
}

fn words<'r>(reading: &'r Reading<'_>) -> impl Iterator<Item = u32> + 'r {
    let of_model = reading.model.iter().flat_map(|model| {
        let output = model.output.unwrap_or(0);
        model.first_chunks.iter().copied().chain([output])
    });
    reading.ended.iter().chain(reading.all).copied().chain(of_model).map(modulo)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::labels::Labels;

    fn labels() -> &'static Labels {
        Box::leak(Box::new(Labels::new(&["agent_id"], &["a"])))
    }

    const BOUNDS: &[f64] = &[0.1, 1.0];

    fn reading(
        labels: &'static Labels,
        fast: u64,
        slow: u64,
        failed: u64,
        look: &mut dyn FnMut(&Reading<'_>),
    ) {
        let all = [fast, fast + slow, fast + slow + failed];
        let ended = [fast + slow, failed, 0, 0];
        look(&reading_of(labels, ended, &all, None));
    }

    fn reading_of<'r>(
        labels: &'static Labels,
        ended: [u64; OUTCOMES],
        all: &'r [u64],
        model: Option<ModelReading<'r>>,
    ) -> Reading<'r> {
        let (bounds, objective) = (BOUNDS, None);
        Reading { labels, bounds, objective, running: 0, ended, all, succeeded: all, model }
    }

    #[test]
    fn a_model_shows_its_first_chunks_and_its_output() {
        let (labels, mut id) = (labels(), Id::default());
        let read = |first_chunks: [u64; 3], output: Option<u64>, look: &mut dyn FnMut(&Reading<'_>)| {
            let model = Some(ModelReading { first_chunks: &first_chunks, output });
            look(&reading_of(labels, [4, 0, 0, 0], &[0, 4, 4], model));
        };
        // What was counted before stays out of the quantiles.
        read([100, 100, 100], None, &mut |reading| {
            id.begin_at(reading);
            assert_eq!(id.recent(reading, 0).model, Some(RecentModel::default()));
        });
        for _ in 0..2 {
            read([100, 100, 100], Some(20), &mut |reading| id.note(reading, 1, 0));
        }
        read([100, 102, 104], Some(600), &mut |reading| {
            let recent = id.recent(reading, 0).model.unwrap();
            assert_eq!((recent.first_chunk_p50, recent.first_chunk_p95), (Some(1.0), Some(1.0)));
            assert_eq!(recent.output_per_s, Some(30.0), "600 in 20 seconds");
        });
    }

    #[test]
    fn an_id_shows_the_last_minute_and_the_last_five() {
        let (labels, mut id) = (labels(), Id::default());
        reading(labels, 1_000, 0, 0, &mut |reading| id.begin_at(reading));
        for second in 1..=400_u64 {
            // A call a second, and in the last ten seconds a slow one too.
            let slow = second.saturating_sub(390);
            reading(labels, 1_000 + second, slow, 0, &mut |reading| {
                id.note(reading, u64::from(second % 10 == 0), 0);
            });
        }
        reading(labels, 1_400, 10, 0, &mut |reading| {
            let recent = id.recent(reading, 0);
            assert_eq!(recent.spark.len(), MINUTE);
            assert_eq!((recent.spark[0], recent.spark[MINUTE - 1]), (1, 2));
            assert!((recent.calls_per_s - 70.0 / 60.0).abs() < 1e-9, "{recent:?}");
            let total: u64 = recent.ended.iter().sum();
            assert!((290..=300).contains(&(total - 10)), "{recent:?}");
            assert!(recent.p50.unwrap() < 0.1 && recent.p99.unwrap() > 0.1, "{recent:?}");
        });
    }

    #[test]
    fn an_id_whose_count_wraps_has_the_right_difference() {
        let (labels, mut id) = (labels(), Id::default());
        let near = u64::from(u32::MAX) - 3;
        reading(labels, near, 0, 0, &mut |reading| id.begin_at(reading));
        reading(labels, near + 10, 0, 5, &mut |reading| {
            id.note(reading, 1, 0);
            let recent = id.recent(reading, 0);
            assert_eq!((recent.ended, &recent.spark), ([10, 5, 0, 0], &vec![15]));
            assert_eq!(recent.part(&[Outcome::Error, Outcome::Panic]), Some(1.0 / 3.0));
        });
    }

    #[test]
    fn points_have_one_distance_and_the_ceiling_holds() {
        let mut history = History::new(1 << 20);
        for second in 0..700 {
            history.tick(0, [second, 0, 0, 0], [0; 2]);
        }
        let points = history.points(300);
        assert_eq!((points.values.len(), points.step), (300, Duration::from_secs(1)));
        assert!(points.values.iter().all(|point| point[0] == 1.0));
        let tens = history.points(3_600);
        assert_eq!((tens.values.len(), tens.step), (70, Duration::from_secs(10)));
        assert_eq!(tens.values[69][0], 1.0);
        assert!(history.bytes() <= 1 << 20);
    }

    #[test]
    fn all_agents_together_have_a_minute_and_five() {
        let (labels, mut history) = (labels(), History::new(1 << 20));
        let totals = |fast, failed| {
            let mut totals = Totals { without_usage: fast, ..Totals::default() };
            reading(labels, fast, 0, failed, &mut |reading| totals.add_agent(reading));
            totals
        };
        for second in 0..400_u64 {
            let now = totals(1_000 + second, 0);
            push(&mut history.ended, MINUTE + 1, now.ended.iter().sum());
            history.ticks = second;
            if second % TEN == 0 {
                push(&mut history.window, WINDOW, (second, now));
            }
        }
        let overall = history.since(&totals(1_400, 3), 2, BOUNDS);
        assert_eq!((overall.running, overall.ended), (2, [1_400, 3, 0, 0]));
        assert_eq!((overall.minute_seconds, overall.minute_ended), (60, 1_403 - 1_339));
        assert_eq!((overall.seconds, overall.recent), (299, [300, 3, 0, 0]));
        assert_eq!((overall.durations, overall.priced), (vec![300, 300, 303], [0, 300]));
        let first = History::new(1 << 20).since(&totals(5, 5), 0, BOUNDS);
        assert_eq!((first.ended, first.recent, first.seconds), ([5, 5, 0, 0], [0; 4], 0));
    }

    #[test]
    fn seconds_without_a_reading_have_no_point() {
        let mut history = History::new(1 << 20);
        history.tick(0, [0; 4], [0; 2]);
        history.tick(4, [10, 0, 0, 0], [0; 2]);
        let points = history.points(60).values;
        assert_eq!(points.len(), 5);
        assert!(points[..4].iter().all(|point| point[0].is_nan()));
        assert_eq!(points[4][0], 2.0);
    }

    #[test]
    fn a_minute_without_a_reading_moves_no_point() {
        let mut history = History::new(1 << 20);
        let mut runs = 0;
        for _ in 0..40 {
            runs += 1;
            history.tick(0, [runs, 0, 0, 0], [0; 2]);
        }
        let before = history.points(3_600).values.len();
        history.tick(59, [runs + 60, 0, 0, 0], [0; 2]);
        let points = history.points(3_600).values;
        assert_eq!(points.len(), before + 6);
        assert!(points[before..before + 5].iter().all(|point| point[0].is_nan()));
        assert_eq!(points[before + 5][0], 1.0, "its mean is of the whole minute");
    }
}
