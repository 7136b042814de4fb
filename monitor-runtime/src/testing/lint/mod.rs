//! Checks an exposition against Prometheus' conventions.

mod histogram;
mod name;
mod read;
mod rule;

use std::collections::HashSet;
use std::fmt;

pub use rule::LintRule;

use read::{Family, Kind, Sample};

/// One violation of the text format or of its conventions.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The line where the metric or the sample begins, counted from 1.
    pub line: usize,
    /// The family's name, or the whole line if it could not be read.
    pub metric: String,
    /// The violated rule.
    pub rule: LintRule,
    /// The finding, and the expected form.
    pub message: String,
}

/// `line 3: latency_ms: unit ms is abbreviated; …`
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}: {}", self.line, self.metric, self.message)
    }
}

/// Checks an exposition in the Prometheus text format 0.0.4, and returns the problems in the order of its lines.
///
/// It checks the format, and the conventions for names, units, help texts, labels and buckets. It finds the same
/// problems as `promtool check metrics`, and also untyped metrics, series given twice, families whose lines are not
/// adjacent, histograms that contradict themselves, and reserved label names. `promtool` stops at the first unreadable
/// line; this reports all of them.
///
/// ```
/// use monitor_runtime::metrics;
/// use monitor_runtime::testing::lint;
///
/// let waits = prometheus::IntCounter::new("queue_waits", "Jobs that had to wait.")?;
/// metrics::registry().register(Box::new(waits))?;
/// let problems = lint(&metrics::render());
/// assert_eq!(problems.len(), 1);
/// assert!(problems[0].to_string().ends_with("queue_waits: a counter's name ends in `_total`"));
/// # Ok::<(), prometheus::Error>(())
/// ```
pub fn lint(text: &str) -> Vec<Problem> {
    let mut problems = Problems(Vec::new());
    let families = read::read(text, &mut problems);
    for family in &families {
        check_metadata(family, &mut problems);
        name::check(family, &mut problems);
        check_labels(family, &mut problems);
        check_samples(family, &mut problems);
        if family.kind == Some(Kind::Histogram) {
            histogram::check(family, &mut problems);
        }
    }
    problems.0.sort_by_key(|problem| problem.line);
    problems.0
}

/// The problems found so far.
struct Problems(Vec<Problem>);

impl Problems {
    /// Adds a problem, unless the metric already has the same one.
    fn note(&mut self, line: usize, metric: &str, rule: LintRule, message: impl Into<String>) {
        let problem = Problem { line, metric: metric.to_owned(), rule, message: message.into() };
        let is_known = |known: &Problem| known.metric == problem.metric && known.message == problem.message;
        if !self.0.iter().any(is_known) {
            self.0.push(problem);
        }
    }
}

fn check_metadata(family: &Family<'_>, problems: &mut Problems) {
    let &Family { line, name, .. } = family;
    if family.help.is_none_or(str::is_empty) {
        problems.note(line, name, LintRule::Help, "it has no help text; expected a `# HELP` line");
    }
    if family.kind.is_none() {
        problems.note(
            line,
            name,
            LintRule::Type,
            "it has no type; expected a `# TYPE` line before its samples",
        );
    }
}

fn check_labels(family: &Family<'_>, problems: &mut Problems) {
    let labels =
        family.samples.iter().flat_map(|sample| sample.labels.iter().map(|(name, _)| (sample.line, *name)));
    for (line, label) in labels {
        let mut note = |rule, message| problems.note(line, family.name, rule, message);
        let is = |kind| family.kind.is_none_or(|own| own == Kind::Untyped || own == kind);
        if label == "le" && !is(Kind::Histogram) {
            note(LintRule::ReservedLabel, "the label `le` is for the buckets of histograms".to_owned());
        }
        if label == "quantile" && !is(Kind::Summary) {
            note(LintRule::ReservedLabel, "the label `quantile` is for summaries".to_owned());
        }
        if label.starts_with("__") {
            note(
                LintRule::ReservedLabel,
                format!("the label `{label}` begins with `__`, which is for Prometheus itself"),
            );
        }
        if name::is_camel_case(label) {
            note(LintRule::CamelCase, format!("the label `{label}` is in camelCase; expected snake_case"));
        }
    }
}

fn check_samples(family: &Family<'_>, problems: &mut Problems) {
    let mut seen = HashSet::new();
    for sample in &family.samples {
        let Sample { line, name, .. } = *sample;
        if !seen.insert((name, sample.sorted_labels())) {
            problems.note(
                line,
                family.name,
                LintRule::DuplicateSeries,
                format!("a series of `{name}` is given twice"),
            );
        }
        if family.kind == Some(Kind::Counter) && !matches!(sample.value, 0.0..) {
            let message = format!("a counter cannot be {}; expected 0 or more", sample.value);
            problems.note(line, family.name, LintRule::CounterValue, message);
        }
    }
}
