//! Measures the change of metrics over a piece of code.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
#[cfg(feature = "runs")]
use std::sync::Arc;
use std::sync::{Mutex, MutexGuard, PoisonError};

#[cfg(feature = "runs")]
use crate::cells::clock;
use crate::families::catalog;
use crate::metrics;
#[cfg(feature = "runs")]
use crate::run;

/// The changes of the process's metrics from [`start`](Recording::start) on.
///
/// Metrics belong to the process, and test runners run tests in parallel. Only one thread can record at a time: `start`
/// on another thread waits until this recording is dropped. A second recording on the same thread does not wait. Tests
/// that call the same tracked functions should therefore either all record, or use a different id each.
///
/// ```
/// use monitor_runtime::testing::Recording;
/// use monitor_runtime::track_agent;
///
/// #[track_agent("planner")]
/// fn plan(goal: &str) -> Result<(), String> {
///     if goal.is_empty() { Err("no goal".to_owned()) } else { Ok(()) }
/// }
///
/// let recording = Recording::start();
/// plan("ship it").unwrap();
/// plan("").unwrap_err();
/// let planned = |status| {
///     recording.value("agent_executions_total", &[("agent_id", "planner"), ("status", status)])
/// };
/// assert_eq!(planned("success"), 1.0);
/// assert_eq!(planned("error"), 1.0);
/// assert_eq!(recording.value("active_agents", &[("agent_id", "planner")]), 0.0);
/// ```
#[derive(Debug)]
pub struct Recording {
    before: Snapshot,
    #[cfg(feature = "runs")]
    runs: Option<RecordedRuns>,
    _turn: Rc<Turn>,
}

/// The recorder of runs, and the start of the recording in ticks of the clock.
#[cfg(feature = "runs")]
#[derive(Debug)]
struct RecordedRuns {
    all: run::Runs,
    since: u64,
}

impl Recording {
    /// Takes a snapshot of every metric, after waiting until no other thread records.
    pub fn start() -> Self {
        let turn = Turn::take();
        Self {
            before: Snapshot::take(),
            #[cfg(feature = "runs")]
            runs: None,
            _turn: turn,
        }
    }

    /// Starts like [`start`](Self::start), and records [runs](crate::run) too. If no recorder was started yet, one with
    /// 16 MiB is, for the rest of the process.
    ///
    /// ```
    /// use monitor_runtime::testing::Recording;
    /// use monitor_runtime::{track_agent, track_skill};
    ///
    /// #[track_skill]
    /// fn search(words: &str) -> Result<usize, String> {
    ///     if words.is_empty() { Err("no words".to_owned()) } else { Ok(3) }
    /// }
    ///
    /// #[track_agent("librarian")]
    /// fn look_up(words: &str) -> usize {
    ///     search("").or_else(|_| search(words)).unwrap_or(0)
    /// }
    ///
    /// let recording = Recording::with_runs();
    /// look_up("tea");
    /// let [run] = &recording.runs()[..] else { panic!("one run is expected") };
    /// let tree = "librarian ✓\n├─ skill search ✗ no words\n└─ skill search ✓ attempt 2";
    /// assert_eq!(run.to_string(), tree);
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if the recorder cannot be started.
    #[cfg(feature = "runs")]
    pub fn with_runs() -> Self {
        let started = run::started().map_or_else(|| run::builder().start(), Ok);
        let all = started.unwrap_or_else(|error| panic!("runs cannot be recorded: {error}"));
        let recording = Self::start();
        Self { runs: Some(RecordedRuns { all, since: clock::now() }), ..recording }
    }

    /// Returns the runs that began since the start, in the order of their begin, including those that go on.
    ///
    /// Of an agent with more than 50 runs, some are no longer [kept](crate::run).
    ///
    /// # Panics
    ///
    /// Panics unless this recording was started by [`with_runs`](Self::with_runs).
    #[cfg(feature = "runs")]
    #[track_caller]
    pub fn runs(&self) -> Vec<Arc<run::Run>> {
        let Some(RecordedRuns { all, since }) = &self.runs else {
            panic!("this recording has no runs: start it by `Recording::with_runs()`");
        };
        all.since(*since)
    }

    /// Returns the change of the metric since the start, summed over all series that have at least these `labels`.
    ///
    /// A series that does not exist counts as 0. Read a histogram by `…_count`, `…_sum` (in seconds) and `…_bucket`
    /// (with the label `le`).
    ///
    /// # Panics
    ///
    /// Panics if no metric of that name exists. Otherwise a misspelt name would always read 0, and the test would never
    /// fail.
    #[track_caller]
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let now = Snapshot::take();
        assert!(
            now.has(name) || is_ours(name),
            "no metric is called `{name}`; known ones: {}",
            now.names().join(", ")
        );
        now.sum(name, labels) - self.before.sum(name, labels)
    }
}

fn is_ours(name: &str) -> bool {
    catalog::ALL.iter().any(|metric| {
        let rest = name.strip_prefix(metric.name);
        rest == Some("") || metric.kind == catalog::Kind::Histogram && rest.is_some_and(is_histogram_part)
    })
}

fn is_histogram_part(suffix: &str) -> bool {
    ["_count", "_sum", "_bucket"].contains(&suffix)
}

/// The right to record. One thread has it at a time.
#[derive(Debug)]
struct Turn(#[expect(dead_code, reason = "held until dropped")] MutexGuard<'static, ()>);

impl Turn {
    fn take() -> Rc<Self> {
        static RECORDING: Mutex<()> = Mutex::new(());
        thread_local! {
            static OWN: RefCell<Weak<Turn>> = const { RefCell::new(Weak::new()) };
        }
        OWN.with_borrow_mut(|own| {
            own.upgrade().unwrap_or_else(|| {
                // A poisoned lock is fine: a test that failed while recording leaves no state behind.
                let turn = Rc::new(Self(RECORDING.lock().unwrap_or_else(PoisonError::into_inner)));
                *own = Rc::downgrade(&turn);
                turn
            })
        })
    }
}

/// One sample's labels and value.
type Series = (Vec<(String, String)>, f64);

/// The value of every sample at one moment.
#[derive(Debug, Default)]
struct Snapshot(BTreeMap<String, Vec<Series>>);

impl Snapshot {
    /// Parses the text of a scrape, so that a test sees exactly the scraped values.
    fn take() -> Self {
        // The recorder counts what it reads, so it reads everything first.
        #[cfg(feature = "runs")]
        if let Some(runs) = run::started() {
            runs.figures();
        }
        let mut snapshot = Self::default();
        for line in metrics::render().lines().filter(|line| !line.starts_with('#')) {
            if let Some((name, series)) = parse(line) {
                snapshot.0.entry(name.to_owned()).or_default().push(series);
            }
        }
        snapshot
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn names(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    fn sum(&self, name: &str, wanted: &[(&str, &str)]) -> f64 {
        let samples = self.0.get(name).into_iter().flatten();
        samples.filter(|(labels, _)| carries(labels, wanted)).map(|(_, value)| value).sum()
    }
}

fn carries(labels: &[(String, String)], wanted: &[(&str, &str)]) -> bool {
    wanted.iter().all(|(name, value)| labels.iter().any(|(own, has)| own == name && has == value))
}

/// Parses one sample line of our own rendering.
fn parse(line: &str) -> Option<(&str, Series)> {
    let (series, value) = line.rsplit_once(' ')?;
    let value = value.parse().ok()?;
    let Some((name, labels)) = series.split_once('{') else { return Some((series, (Vec::new(), value))) };
    Some((name, (parse_labels(labels.strip_suffix('}')?)?, value)))
}

fn parse_labels(mut text: &str) -> Option<Vec<(String, String)>> {
    let mut labels = Vec::new();
    while !text.is_empty() {
        let (name, rest) = text.split_once("=\"")?;
        let (value, rest) = unescape(rest)?;
        labels.push((name.to_owned(), value));
        text = rest.strip_prefix(',').unwrap_or(rest);
    }
    Some(labels)
}

/// Reads a label value up to its closing quote, and returns it with the rest of the text.
fn unescape(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match characters.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_line_is_read_back_with_its_labels_unescaped() {
        let (name, (labels, value)) = parse(r#"a_total{x="1 \" {,}",y="b\\n\n"} 2.5"#).unwrap();
        assert_eq!(name, "a_total");
        assert_eq!(labels, [("x".into(), "1 \" {,}".into()), ("y".into(), "b\\n\n".into())]);
        assert!((value - 2.5).abs() < f64::EPSILON);
        assert_eq!(parse("up 1").unwrap(), ("up", (vec![], 1.0)));
    }

    #[test]
    #[should_panic(expected = "no metric is called `agent_execution_total`")]
    fn a_misspelt_metric_is_said() {
        Recording::start().value("agent_execution_total", &[]);
    }
}
