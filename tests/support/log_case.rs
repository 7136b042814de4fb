//! Cases in which something is logged, and a model of what the line then says.
#![allow(dead_code, reason = "every test file compiles all of it and uses its own part")]

use std::fmt::{self, Display};

use monitor_runtime::context;
use monitor_runtime::logging::LoggingBuilder;
use serde_json::{Value, json};
use tracing::callsite::{Callsite, Identifier};
use tracing::field::{FieldSet, display};
use tracing::metadata::Kind;
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Span};

use super::log_line::LogLine;

/// A value as a program may log it.
#[derive(Clone, Debug)]
pub(crate) enum Logged {
    Signed(i64),
    Unsigned(u64),
    Wide(i128),
    Float(f64),
    Truth(bool),
    Text(String),
    Shown(String),
    Debugged(String),
    Failed(String, String),
    Nothing,
}

/// An error with one source.
#[derive(Debug)]
struct Failure(String, Option<Box<Failure>>);

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.1.as_deref().map(|source| source as _)
    }
}

impl Logged {
    fn value(&self) -> Box<dyn tracing::Value> {
        match self.clone() {
            Self::Signed(value) => Box::new(value),
            Self::Unsigned(value) => Box::new(value),
            Self::Wide(value) => Box::new(value),
            Self::Float(value) => Box::new(value),
            Self::Truth(value) => Box::new(value),
            Self::Text(value) => Box::new(value),
            Self::Shown(value) => Box::new(display(value)),
            Self::Debugged(value) => Box::new(tracing::field::debug(value)),
            Self::Failed(error, source) => {
                let error: Box<dyn std::error::Error> =
                    Box::new(Failure(error, Some(Box::new(Failure(source, None)))));
                Box::new(error)
            }
            Self::Nothing => Box::new(None::<u8>),
        }
    }

    /// The values a line shows for it, each with what its name ends with.
    fn expected(&self) -> Vec<(&'static str, Value)> {
        let value = match self {
            Self::Signed(value) => json!(value),
            Self::Unsigned(value) => json!(value),
            Self::Wide(value) => match (i64::try_from(*value), u64::try_from(*value)) {
                (Ok(value), _) => json!(value),
                (_, Ok(value)) => json!(value),
                _ => json!(value.to_string()),
            },
            Self::Float(value) if value.is_finite() => json!(value),
            Self::Float(value) => json!(value.to_string()),
            Self::Truth(value) => json!(value),
            Self::Text(value) | Self::Shown(value) => json!(value),
            Self::Debugged(value) => json!(format!("{value:?}")),
            Self::Failed(error, source) => return vec![("", json!(error)), (".chain", json!(source))],
            Self::Nothing => return Vec::new(),
        };
        vec![("", value)]
    }
}

/// A message is a string, also if its value has another type.
impl Logged {
    fn as_text(&self) -> Option<String> {
        match self {
            Self::Signed(value) => Some(value.to_string()),
            Self::Unsigned(value) => Some(value.to_string()),
            Self::Wide(value) => Some(value.to_string()),
            // The shortest form that reads back as the same float.
            Self::Float(value) if value.is_finite() => Some(format!("{value:?}")),
            Self::Truth(value) => Some(value.to_string()),
            _ => None,
        }
    }
}

pub(crate) type Field = (String, Logged);

/// Spans one inside the other, what is bound in the last of them, and an event.
#[derive(Clone, Debug)]
pub(crate) struct LogCase {
    pub(crate) spans: Vec<Vec<Field>>,
    pub(crate) bound: Vec<Field>,
    pub(crate) event: Vec<Field>,
    pub(crate) target: String,
}

const BASE: [&str; 4] = ["timestamp", "level", "logger", "event"];
const FIRST: [&str; 8] =
    ["request_id", "method", "endpoint", "agent_id", "skill_id", "query", "trace_id", "span_id"];

/// The rules by which an output changes values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    pub(crate) secrets: Vec<String>,
    pub(crate) most: Option<usize>,
}

impl Rules {
    /// An output that follows them.
    pub(crate) fn apply(&self, logging: LoggingBuilder) -> LoggingBuilder {
        let logging = logging.redact(self.secrets.iter().cloned());
        match self.most {
            Some(most) => logging.max_value_bytes(most),
            None => logging,
        }
    }

    fn shown(&self, name: &str, value: Value) -> Value {
        let is = |name: &str, secret: &String| {
            let (name, secret) = (name.to_ascii_lowercase(), plain(secret).to_ascii_lowercase());
            name == secret || name.ends_with(&format!(".{secret}"))
        };
        let stem = name.strip_suffix(".chain").unwrap_or(name);
        if self.secrets.iter().any(|secret| is(name, secret) || is(stem, secret)) {
            return json!("[redacted]");
        }
        match (value, self.most) {
            (Value::String(text), Some(most)) if text.len() > most => {
                let end = (0..=most).rev().find(|&at| text.is_char_boundary(at)).unwrap();
                json!(format!("{}…[truncated {} bytes]", &text[..end], text.len() - end))
            }
            (value, _) => value,
        }
    }
}

impl LogCase {
    /// Compares the line that [`log`](Self::log) made with what it is to say.
    pub(crate) fn compare(&self, line: &LogLine, rules: &Rules) -> Result<(), String> {
        let expected = self.expected(rules);
        if line.text("logger") != self.target
            || !line.names()[3..].iter().eq(expected.iter().map(|(name, _)| name))
        {
            return Err(format!("{line} and not {expected:?} from {}", self.target));
        }
        let mut both = line.0[3..].iter().zip(&expected);
        match both.find(|((_, value), (_, expected))| !is_same(value, expected)) {
            None => Ok(()),
            Some(((name, value), (_, expected))) => Err(format!("{name}: {value} and not {expected}")),
        }
    }

    /// The fields expected behind `logger`, by the contract.
    fn expected(&self, rules: &Rules) -> Vec<(String, Value)> {
        let mut bound: Vec<(String, Value)> = Vec::new();
        for (name, logged) in self.spans.iter().flatten().chain(&self.bound) {
            let prefix = if BASE.contains(&plain(name)) { "field." } else { "" };
            for (suffix, value) in logged.expected() {
                let name = format!("{prefix}{}{suffix}", plain(name));
                bound.retain(|(known, _)| *known != name && *known != format!("{name}.chain"));
                bound.push((name, value));
            }
        }
        let rank = |name: &str| FIRST.iter().position(|first| *first == name).unwrap_or(FIRST.len());
        bound.sort_by_key(|(name, _)| rank(name));

        let mut message = None;
        let mut own: Vec<(String, Value)> = Vec::new();
        for (name, logged) in &self.event {
            let mut prefix = String::new();
            for (suffix, value) in logged.expected() {
                if plain(name) == "message" && suffix.is_empty() && message.is_none() {
                    message = Some(logged.as_text().map_or(value, Value::String));
                    continue;
                }
                let free = |name: &str| {
                    !BASE.contains(&name) && bound.iter().chain(&own).all(|(known, _)| known != name)
                };
                while !free(&format!("{prefix}{}{suffix}", plain(name))) {
                    prefix.push_str("field.");
                }
                own.push((format!("{prefix}{}{suffix}", plain(name)), value));
            }
        }
        let message = message.unwrap_or_else(|| json!("an event"));
        let message = ("event".to_owned(), rules.shown("message", message));
        let fields = bound.into_iter().chain(own).map(|(name, value)| {
            let value = rules.shown(&name, value);
            (name, value)
        });
        [message].into_iter().chain(fields).collect()
    }

    pub(crate) fn log(&self) {
        let entered: Vec<_> = self.spans.iter().map(|fields| span(fields).entered()).collect();
        for (name, logged) in &self.bound {
            context::bind(name.clone().leak(), logged.value());
        }
        let metadata = metadata("an event", &self.target, &self.event, Kind::EVENT);
        with_values(&self.event, |values| {
            Event::dispatch(metadata, &metadata.fields().value_set_all(values));
        });
        // The innermost first, as guards of nested scopes go.
        entered.into_iter().rev().for_each(drop);
    }
}

/// `r#type = …` names a field `type`.
fn plain(name: &str) -> &str {
    name.strip_prefix("r#").unwrap_or(name)
}

fn span(fields: &[Field]) -> Span {
    let metadata = metadata("a span", "a target", fields, Kind::SPAN);
    with_values(fields, |values| Span::new(metadata, &metadata.fields().value_set_all(values)))
}

fn with_values<T>(fields: &[Field], run: impl FnOnce(&[Option<&dyn tracing::Value>]) -> T) -> T {
    let values: Vec<_> = fields.iter().map(|(_, logged)| logged.value()).collect();
    run(&values.iter().map(|value| Some(&**value)).collect::<Vec<_>>())
}

/// A callsite made while the test runs; `tracing` keeps them for ever in any case.
struct Made(std::sync::OnceLock<Metadata<'static>>);

impl Callsite for Made {
    fn set_interest(&self, _: Interest) {}

    fn metadata(&self) -> &Metadata<'_> {
        self.0.get().unwrap()
    }
}

fn metadata(name: &'static str, target: &str, fields: &[Field], kind: Kind) -> &'static Metadata<'static> {
    let names: Vec<&'static str> = fields.iter().map(|(name, _)| &*name.clone().leak()).collect();
    let made: &'static Made = Box::leak(Box::new(Made(std::sync::OnceLock::new())));
    let fields = FieldSet::new(names.leak(), Identifier(made));
    let target = target.to_owned().leak();
    made.0.get_or_init(|| Metadata::new(name, target, Level::ERROR, None, None, None, fields, kind))
}

/// The same value, but for the last digit, which `serde_json` does not always read back.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => (one - other).abs() <= other.abs() * 1e-15,
        _ => one == other,
    }
}

/// Whether a character ends a line for people, or does what is not for a line to do.
pub(crate) fn breaks_a_line(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}
