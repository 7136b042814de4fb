//! The parameters of a request, all checked before anything is read.

use std::time::Duration;

use ::http::header::ACCEPT;
use axum::extract::Request;

use super::refusal::Refusal;
use crate::families::Outcome;
use crate::run::Run;

/// The rows of an answer, unless set, and at most.
const DEFAULT_LIMIT: usize = 50;
const MOST: usize = 1_000;

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Text,
}

/// The parameters of a request.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) format: Format,
    pub(super) limit: usize,
    pub(super) cursor: Option<u64>,
    outcome: Option<Outcome>,
    agent: Option<String>,
    least: Duration,
}

impl Query {
    /// Reads the parameters, of which `known` ones and `format` are accepted.
    pub(super) fn parse(request: &Request, known: &[&str]) -> Result<Self, Refusal> {
        let wants_text = request.headers().get(ACCEPT).is_some_and(|accept| accept == "text/plain");
        let format = if wants_text { Format::Text } else { Format::Json };
        let mut query = Self {
            format,
            limit: DEFAULT_LIMIT,
            cursor: None,
            outcome: None,
            agent: None,
            least: Duration::ZERO,
        };
        for (name, value) in form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()) {
            if name != "format" && !known.contains(&&*name) {
                let known: Vec<_> = known.iter().copied().chain(["format"]).collect();
                return Err(Refusal::bad(&format!(
                    "`{}` is no parameter here; there are {}",
                    shown(&name),
                    known.join(", ")
                )));
            }
            query.set(&name, &value)?;
        }
        Ok(query)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Refusal> {
        let bad = |expected: &str| Refusal::bad(&format!("`{name}={}`: expected {expected}", shown(value)));
        match name {
            "format" => {
                self.format = match value {
                    "json" => Format::Json,
                    "text" => Format::Text,
                    _ => return Err(bad("json or text")),
                }
            }
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=MOST).contains(limit));
                self.limit = limit.ok_or_else(|| bad("1 to 1000"))?;
            }
            "min_ms" => {
                self.least =
                    value.parse().map(Duration::from_millis).map_err(|_| bad("a number of milliseconds"))?;
            }
            "cursor" => {
                self.cursor = Some(value.parse().map_err(|_| bad("the `cursor` of an earlier answer"))?);
            }
            "status" => {
                let outcome = Outcome::ALL.into_iter().find(|outcome| outcome.as_str() == value);
                self.outcome = Some(outcome.ok_or_else(|| bad("success, error, panic or cancelled"))?);
            }
            _ => self.agent = Some(value.to_owned()),
        }
        Ok(())
    }

    /// Whether the run matches.
    pub(super) fn takes(&self, run: &Run) -> bool {
        self.outcome.is_none_or(|outcome| run.outcome() == Some(outcome))
            && self.agent.as_ref().is_none_or(|agent| run.agent() == agent)
            && run.duration() >= self.least
    }
}

/// The begin of a value that was refused.
fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}
