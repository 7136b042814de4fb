//! Contenders timed in turn, round after round, so that whatever else the machine does meets all of them alike.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// How long a contender's turn takes: short enough that most turns pass undisturbed, and alike for all in a race, so that
/// none is disturbed more often than another.
const TURN: Duration = Duration::from_micros(100);

/// Something that is timed: `run` does it so many times and says how long that took.
pub(crate) struct Contender<'c> {
    name: &'static str,
    run: Box<dyn FnMut(u64) -> Duration + 'c>,
    turn: Duration,
    /// How often it is done in a turn; 0 before it is known how long it takes.
    batch: u64,
}

impl<'c> Contender<'c> {
    /// A contender whose call is given the number of the repetition.
    pub(crate) fn new<R>(name: &'static str, mut call: impl FnMut(u64) -> R + 'c) -> Self {
        Self::timed(name, move |times| time(times, &mut call))
    }

    /// A contender that takes its own time.
    pub(crate) fn timed(name: &'static str, run: impl FnMut(u64) -> Duration + 'c) -> Self {
        Self { name, run: Box::new(run), turn: TURN, batch: 0 }
    }

    /// Sets how long its turn takes.
    pub(crate) fn turn(self, turn: Duration) -> Self {
        Self { turn, ..self }
    }

    /// Sets how often it is done in a turn, instead of as often as fits.
    pub(crate) fn batch(self, batch: u64) -> Self {
        Self { batch, ..self }
    }

    /// Finds the batch that fills a turn. The least of three tries counts, after the first call, which sets things up.
    fn calibrate(&mut self) {
        (self.run)(8);
        if self.batch == 0 {
            self.batch = 1;
            while self.batch < 1 << 20 && (0..3).any(|_| (self.run)(self.batch) < self.turn / 2) {
                self.batch *= 2;
            }
        }
    }

    fn nanos(&mut self) -> f64 {
        (self.run)(self.batch).as_secs_f64() * 1e9 / self.batch as f64
    }
}

/// How long so many calls take.
#[inline]
pub(crate) fn time<R>(times: u64, mut call: impl FnMut(u64) -> R) -> Duration {
    // What ran before has filled caches and branch predictors with its own.
    for number in 0..times / 8 {
        black_box(call(number));
    }
    let start = Instant::now();
    for number in 0..times {
        black_box(call(number));
    }
    start.elapsed()
}

/// The same of calls that are awaited.
pub(crate) async fn time_async<R>(times: u64, mut call: impl AsyncFnMut() -> R) -> Duration {
    for _ in 0..times / 8 {
        black_box(call().await);
    }
    let start = Instant::now();
    for _ in 0..times {
        black_box(call().await);
    }
    start.elapsed()
}

/// Times each contender once a round.
pub(crate) fn race(mut contenders: Vec<Contender<'_>>, rounds: usize) -> Race {
    contenders.iter_mut().for_each(Contender::calibrate);
    let mut columns: Vec<_> =
        contenders.iter().map(|contender| (contender.name, Column(Vec::with_capacity(rounds)))).collect();
    let count = contenders.len();
    for round in 0..rounds {
        for turn in 0..count {
            // Each comes first as often as last, and after each neighbour as often as before it.
            let place = (round / 2 + turn) % count;
            let place = if round % 2 == 0 { place } else { count - 1 - place };
            columns[place].1.0.push(contenders[place].nanos());
        }
    }
    Race::new(columns)
}

/// What a race measured.
///
/// What disturbs a turn (other programs, the other half of a core, the host of a virtual machine) only ever adds to it, and
/// adds more to some contenders than to others. So costs are taken from the quietest tenth of the rounds: those in which
/// the contenders together were least above their best. They are medians of these rounds, so that all contenders were
/// measured in the same moments and none by a lucky turn.
pub(crate) struct Race {
    columns: Vec<(&'static str, Column)>,
    quiet_rounds: Vec<usize>,
}

impl Race {
    fn new(columns: Vec<(&'static str, Column)>) -> Self {
        let rounds = columns.first().map_or(0, |(_, column)| column.0.len());
        let mut slowness = vec![0.0; rounds];
        for (_, column) in &columns {
            let best = column.percentile(0);
            slowness.iter_mut().zip(&column.0).for_each(|(slowness, nanos)| *slowness += nanos / best);
        }
        let mut quiet_rounds: Vec<_> = (0..rounds).collect();
        quiet_rounds.sort_unstable_by(|&a, &b| slowness[a].total_cmp(&slowness[b]));
        quiet_rounds.truncate(rounds.div_ceil(10));
        Self { columns, quiet_rounds }
    }

    /// Takes costs from all rounds: threads that are in each other's way are what is measured, and in the quietest rounds
    /// they were not.
    pub(crate) fn contended(self) -> Self {
        Self { quiet_rounds: (0..self.rounds()).collect(), ..self }
    }

    pub(crate) fn rounds(&self) -> usize {
        self.columns.first().map_or(0, |(_, column)| column.0.len())
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.columns.iter().map(|(name, _)| *name)
    }

    /// A contender's nanoseconds, round by round.
    ///
    /// # Panics
    ///
    /// When no contender has that name.
    pub(crate) fn of(&self, name: &str) -> &Column {
        let found = self.columns.iter().find(|(known, _)| *known == name);
        &found.unwrap_or_else(|| panic!("no contender is called {name}")).1
    }

    /// What a contender costs, in nanoseconds.
    pub(crate) fn cost(&self, name: &str) -> f64 {
        let column = &self.of(name).0;
        Column(self.quiet_rounds.iter().map(|&round| column[round]).collect()).percentile(50)
    }

    /// What one costs beyond the other.
    pub(crate) fn net(&self, name: &str, base: &str) -> f64 {
        self.cost(name) - self.cost(base)
    }
}

/// A contender's nanoseconds in each round.
pub(crate) struct Column(Vec<f64>);

impl Column {
    /// The figure that so many of 100 rounds did not exceed; the least one for 0.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        sorted[(sorted.len() - 1) * percent / 100]
    }
}
