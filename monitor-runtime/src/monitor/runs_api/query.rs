//! The parameters of a request, all checked before anything is read.

use std::time::Duration;

use axum::extract::Request;

use super::refusal::Refusal;
use crate::exposition::negotiate;
use crate::families::Outcome;
use crate::families::process::LEVELS;
use crate::families::readings::DECADES;
use crate::run::{Node, Run, RunId, SERIES};

/// The rows of an answer, unless set, and at most.
const DEFAULT_LIMIT: usize = 50;
const MOST: usize = 1_000;

/// The lines of an answer at most, which is all that are kept.
const MOST_LINES: usize = 2_000;

/// The ranges of a history in seconds, the default second.
const RANGES: [u64; 4] = [60, 300, 900, 3_600];

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Text,
}

/// The status of a run that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Running,
    /// Any outcome but success.
    Failed,
    Ended(Outcome),
}

/// The figure that runs are sorted by, the largest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Started,
    Duration,
    Steps,
    FailedSteps,
    Retries,
    Tokens,
    Cost,
}

impl Sort {
    const ALL: [(&'static str, Self); 7] = [
        ("started", Self::Started),
        ("duration", Self::Duration),
        ("steps", Self::Steps),
        ("failed_steps", Self::FailedSteps),
        ("retries", Self::Retries),
        ("tokens", Self::Tokens),
        ("cost", Self::Cost),
    ];
}

/// The outcome of a sample that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sampled {
    Failed,
    Cancelled,
}

/// The parameters of a request.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) format: Format,
    pub(super) limit: usize,
    /// As it was given; the answer that gave it knows its form.
    pub(super) cursor: Option<String>,
    pub(super) status: Option<Status>,
    pub(super) sort: Option<Sort>,
    pub(super) pinned: Option<bool>,
    pub(super) series: Vec<usize>,
    pub(super) range: u64,
    pub(super) decade: Option<usize>,
    pub(super) outcome: Option<Sampled>,
    pub(super) operation: Option<String>,
    /// In lower case.
    pub(super) text: Option<String>,
    /// The rank of the least severe level.
    pub(super) level: usize,
    pub(super) run: Option<RunId>,
    pub(super) lines: bool,
    pub(super) agent: Option<String>,
    /// The key of a tag, and its value if that matters.
    tag: Option<(String, Option<String>)>,
    least: Duration,
    failed_step: Option<bool>,
    /// In nano-dollars.
    least_cost: Option<u64>,
}

impl Query {
    fn new(format: Format, limit: usize) -> Self {
        Self {
            format,
            limit,
            cursor: None,
            status: None,
            sort: None,
            pinned: None,
            series: Vec::new(),
            range: RANGES[1],
            decade: None,
            outcome: None,
            operation: None,
            text: None,
            level: LEVELS.len() - 1,
            run: None,
            lines: false,
            agent: None,
            tag: None,
            least: Duration::ZERO,
            failed_step: None,
            least_cost: None,
        }
    }

    /// Reads the parameters, of which `known` ones and `format` are accepted.
    pub(super) fn parse(request: &Request, known: &[&str]) -> Result<Self, Refusal> {
        let forms = [(Format::Json, "application/json"), (Format::Text, "text/plain")];
        let format = negotiate::chosen(request.headers(), forms).unwrap_or(Format::Json);
        let is_of_lines = known.contains(&"level");
        let mut query = Self::new(format, if is_of_lines { MOST_LINES } else { DEFAULT_LIMIT });
        let most = if is_of_lines { MOST_LINES } else { MOST };
        for (name, value) in form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()) {
            if name != "format" && !known.contains(&&*name) {
                let known: Vec<_> = known.iter().copied().chain(["format"]).collect();
                return Err(Refusal::bad(&format!(
                    "`{}` is no parameter here; there are {}",
                    shown(&name),
                    known.join(", ")
                )));
            }
            query.set(&name, &value, most).map_err(|expected| {
                Refusal::bad(&format!("`{name}={}`: expected {expected}", shown(&value)))
            })?;
        }
        Ok(query)
    }

    /// Takes a parameter, or says what it may be.
    fn set(&mut self, name: &str, value: &str, most: usize) -> Result<(), String> {
        match name {
            "format" => self.format = one_of(value, &[("json", Format::Json), ("text", Format::Text)])?,
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=most).contains(limit));
                self.limit = limit.ok_or_else(|| format!("1 to {most}"))?;
            }
            "min_ms" => {
                let millis = value.parse().map(Duration::from_millis);
                self.least = millis.map_err(|_| "a number of milliseconds".to_owned())?;
            }
            "min_cost" => self.least_cost = Some(nanos(value).ok_or("a number of US dollars, such as 0.05")?),
            "cursor" => self.cursor = Some(value.to_owned()),
            "status" => self.status = Some(status(value)?),
            "sort" => self.sort = Some(one_of(value, &Sort::ALL)?),
            "failed_step" => self.failed_step = Some(truth(value)?),
            "pinned" => self.pinned = Some(truth(value)?),
            "lines" => self.lines = truth(value)?,
            "q" => self.text = Some(value.to_lowercase()).filter(|text| !text.is_empty()),
            "agent" => self.agent = Some(value.to_owned()).filter(|agent| !agent.is_empty()),
            "tag" => self.tag = tag(value),
            "operation" => self.operation = Some(value.to_owned()),
            _ => self.set_other(name, value)?,
        }
        Ok(())
    }

    /// The parameters of answers without runs.
    fn set_other(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "series" => {
                self.series.clear();
                for name in value.split(',') {
                    let series = series(name)?;
                    // A name is a key of the answer.
                    if !self.series.contains(&series) {
                        self.series.push(series);
                    }
                }
            }
            "range" => {
                let range = value.parse().ok().filter(|range| RANGES.contains(range));
                self.range = range.ok_or("60, 300, 900 or 3600")?;
            }
            "decade" => {
                let decade = value.parse().ok().filter(|decade| *decade < DECADES);
                self.decade = Some(decade.ok_or("0 to 6")?);
            }
            "outcome" => {
                let outcomes = [("failed", Sampled::Failed), ("cancelled", Sampled::Cancelled)];
                self.outcome = Some(one_of(value, &outcomes)?);
            }
            "level" => {
                let level = LEVELS.iter().position(|level| *level == value);
                self.level = level.ok_or_else(|| listed(LEVELS.iter().copied()))?;
            }
            _ => self.run = Some(value.parse().map_err(|_| "a run id of 32 hexadecimal digits".to_owned())?),
        }
        Ok(())
    }

    /// Whether the run matches, but for its status `running` and whether it is pinned.
    pub(super) fn takes(&self, run: &Run) -> bool {
        self.takes_outcome(run.outcome())
            && self.agent.as_ref().is_none_or(|agent| run.agent() == agent)
            && self.tag.as_ref().is_none_or(|(key, value)| {
                run.tag(key).is_some_and(|own| value.as_ref().is_none_or(|value| own == value))
            })
            && run.duration() >= self.least
            && self
                .least_cost
                .is_none_or(|least| super::write::cost_of(run).is_some_and(|cost| cost >= least))
            && self.failed_step.is_none_or(|wanted| wanted == has_recovered(run))
            && self.text.as_ref().is_none_or(|text| has_text(run, text))
    }

    /// Whether every run of the agent matches, or every run if there is none.
    pub(super) fn takes_all_of_agent(&self) -> bool {
        self.pinned != Some(true)
            && self.tag.is_none()
            && self.least.is_zero()
            && self.least_cost.is_none()
            && self.failed_step.is_none()
            && self.text.is_none()
    }

    fn takes_outcome(&self, outcome: Option<Outcome>) -> bool {
        match self.status {
            None | Some(Status::Running) => true,
            Some(Status::Failed) => outcome.is_some_and(|outcome| outcome != Outcome::Success),
            Some(Status::Ended(wanted)) => outcome == Some(wanted),
        }
    }
}

/// Whether the run succeeded although a step of it failed.
fn has_recovered(run: &Run) -> bool {
    run.outcome() == Some(Outcome::Success) && run.has_failed_step()
}

/// Whether an error, a tag, a note or a log line of the run has the text, which is in lower case. A tag is `key=value`.
fn has_text(run: &Run, lower: &str) -> bool {
    let has = |text: &str| text.to_lowercase().contains(lower);
    run.nodes().iter().filter_map(Node::error).any(has)
        || run.tags().any(|(key, value)| has(&format!("{key}={value}")))
        || run.notes().iter().any(|note| has(note.text()))
        || run.lines().iter().any(|line| line.line().has(lower))
}

fn one_of<T: Copy>(value: &str, choices: &[(&str, T)]) -> Result<T, String> {
    let found = choices.iter().find(|(name, _)| *name == value);
    found.map(|(_, choice)| *choice).ok_or_else(|| listed(choices.iter().map(|(name, _)| *name)))
}

/// The choices as a list: `a, b or c`.
fn listed<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let names: Vec<_> = names.collect();
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

/// The key of a tag, and its value if the text has one behind a colon. An empty text asks for no tag.
fn tag(text: &str) -> Option<(String, Option<String>)> {
    let (key, value) = text.split_once(':').map_or((text, None), |(key, value)| (key, Some(value)));
    (!text.is_empty()).then(|| (key.to_owned(), value.map(str::to_owned)))
}

fn truth(value: &str) -> Result<bool, String> {
    one_of(value, &[("true", true), ("false", false)])
}

fn status(value: &str) -> Result<Status, String> {
    match value {
        "running" => return Ok(Status::Running),
        "failed" => return Ok(Status::Failed),
        _ => {}
    }
    let outcome = Outcome::ALL.into_iter().find(|outcome| outcome.as_str() == value);
    outcome.map(Status::Ended).ok_or_else(|| "running, failed, success, error, panic or cancelled".to_owned())
}

fn series(name: &str) -> Result<usize, String> {
    SERIES.iter().position(|series| *series == name).ok_or_else(|| {
        format!("names of series with commas between them; there are {}", listed(SERIES.into_iter()))
    })
}

/// An amount of dollars in nano-dollars.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to lie between 0 and a million dollars"
)]
fn nanos(value: &str) -> Option<u64> {
    let dollars: f64 = value.parse().ok()?;
    (0.0..=1e6).contains(&dollars).then_some((dollars * 1e9).round() as u64)
}

/// The begin of a value that was refused.
fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}
