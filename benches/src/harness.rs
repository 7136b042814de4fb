//! Times contenders in turn, round after round, so that disturbances of the machine affect all of them alike.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// Length of a contender's turn: short enough that most turns are undisturbed, and equal for all in a race, so that all are
/// disturbed equally often.
const TURN: Duration = Duration::from_micros(100);

/// Something to time: `run` repeats it the given number of times and returns the time.
pub struct Contender<'c> {
    name: &'static str,
    run: Box<dyn FnMut(u64) -> Duration + 'c>,
    turn: Duration,
    /// Number of repetitions in a turn; 0 until calibrated.
    batch: u64,
}

impl<'c> Contender<'c> {
    /// A contender whose call takes the number of the repetition.
    pub fn new<R>(name: &'static str, mut call: impl FnMut(u64) -> R + 'c) -> Self {
        Self::timed(name, move |times| time(times, &mut call))
    }

    /// A contender that measures its own time.
    pub fn timed(name: &'static str, run: impl FnMut(u64) -> Duration + 'c) -> Self {
        Self { name, run: Box::new(run), turn: TURN, batch: 0 }
    }

    /// Sets the length of its turn.
    pub fn turn(self, turn: Duration) -> Self {
        Self { turn, ..self }
    }

    /// Sets the number of repetitions in a turn, instead of as many as fit.
    pub fn batch(self, batch: u64) -> Self {
        Self { batch, ..self }
    }

    /// Finds the number of repetitions that fills a turn, by the shortest of three tries after a first call for the set-up.
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

/// The time of the given number of calls.
#[inline]
pub fn time<R>(times: u64, mut call: impl FnMut(u64) -> R) -> Duration {
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

/// The same for awaited calls.
pub async fn time_async<R>(times: u64, mut call: impl AsyncFnMut() -> R) -> Duration {
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
pub fn race(mut contenders: Vec<Contender<'_>>, rounds: usize) -> Race {
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

/// The measurements of a race.
///
/// Disturbances of a turn (other programs, the other half of a core, the host of a virtual machine) only ever add to it, and add
/// more to some contenders than to others. Costs are therefore taken from the quietest tenth of the rounds: those in which the
/// contenders together were least above their best. They are medians of these rounds, so all contenders were measured in the same
/// moments, and none by a lucky turn.
pub struct Race {
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

    /// Takes costs from all rounds. Contention of threads is the subject of the race, and the quietest rounds had none.
    pub fn contended(self) -> Self {
        Self { quiet_rounds: (0..self.rounds()).collect(), ..self }
    }

    /// The number of rounds.
    pub fn rounds(&self) -> usize {
        self.columns.first().map_or(0, |(_, column)| column.0.len())
    }

    /// The contenders, in their order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.columns.iter().map(|(name, _)| *name)
    }

    /// A contender's nanoseconds, round by round.
    ///
    /// # Panics
    ///
    /// Panics if no contender has that name.
    pub fn of(&self, name: &str) -> &Column {
        let found = self.columns.iter().find(|(known, _)| *known == name);
        &found.unwrap_or_else(|| panic!("no contender is called {name}")).1
    }

    /// The cost of a contender, in nanoseconds.
    pub fn cost(&self, name: &str) -> f64 {
        let column = &self.of(name).0;
        Column(self.quiet_rounds.iter().map(|&round| column[round]).collect()).percentile(50)
    }

    /// The cost of one beyond the other.
    pub fn net(&self, name: &str, base: &str) -> f64 {
        self.cost(name) - self.cost(base)
    }
}

/// A contender's nanoseconds in each round.
pub struct Column(Vec<f64>);

impl Column {
    /// The given percentile of the rounds; the minimum for 0.
    pub fn percentile(&self, percent: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        sorted[(sorted.len() - 1) * percent / 100]
    }
}

/// Prints each contender's nanoseconds. `cost` is the basis of the figures, and `net` is the cost beyond the contender named by
/// `base`.
pub fn print(title: &str, race: &Race, base: impl Fn(&str) -> Option<&'static str>) {
    println!("\n{title}; nanoseconds over {} rounds", race.rounds());
    println!(
        "{:<36}{:>13}{:>13}{:>13}{:>13}{:>13}{:>13}",
        "", "median", "minimum", "p10", "p90", "cost", "net"
    );
    for name in race.names() {
        let [median, minimum, p10, p90] = [50, 0, 10, 90].map(|percent| race.of(name).percentile(percent));
        let net = base(name).map_or_else(String::new, |base| format!("{:.1}", race.net(name, base)));
        let cost = race.cost(name);
        println!("{name:<36}{median:>13.1}{minimum:>13.1}{p10:>13.1}{p90:>13.1}{cost:>13.1}{net:>13}");
    }
}
