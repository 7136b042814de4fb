//! Whatever is bound and logged, under whatever names: one line each, as a model of the contract expects it.

#[path = "support/log_line.rs"]
mod log_line;

use std::fmt::{self, Display};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use log_line::LogLine;
use monitor_runtime::context;
use monitor_runtime::logging::Logging;
use proptest::prelude::*;
use serde_json::{Value, json};
use tracing::callsite::{Callsite, Identifier};
use tracing::field::{FieldSet, display};
use tracing::metadata::Kind;
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Span};
use tracing_subscriber::layer::SubscriberExt as _;

/// A value as a program may log it.
#[derive(Clone, Debug)]
enum Logged {
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

/// A message is a string, also of what is none by itself.
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

type Field = (String, Logged);

/// Spans one inside the other, what is bound in the last of them, and an event.
#[derive(Clone, Debug)]
struct Scene {
    spans: Vec<Vec<Field>>,
    bound: Vec<Field>,
    event: Vec<Field>,
    target: String,
}

const BASE: [&str; 4] = ["timestamp", "level", "logger", "event"];
const FIRST: [&str; 6] = ["request_id", "agent_id", "skill_id", "query", "trace_id", "span_id"];

impl Scene {
    /// What the line says behind `logger`, by the words of the contract.
    fn expected(&self) -> Vec<(String, Value)> {
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
        [("event".to_owned(), message)].into_iter().chain(bound).chain(own).collect()
    }

    fn log(&self) {
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

/// Names that collide, names of the line itself, and names nobody would choose.
fn name() -> impl Strategy<Value = String> {
    const KNOWN: &[&str] = &[
        "a",
        "b",
        "field.a",
        "field.field.a",
        "a.chain",
        "level",
        "event",
        "logger",
        "timestamp",
        "field.event",
        "message",
        "request_id",
        "agent_id",
        "skill_id",
        "query",
        "query.chain",
        "trace_id",
        "span_id",
        "error",
        "error.chain",
        "r#type",
        "type",
        "",
        "\"",
        "\n",
    ];
    prop_oneof![4 => prop::sample::select(KNOWN).prop_map(str::to_owned), 1 => any::<String>()]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[\u{0}-\u{20}\"\\\\\u{7f}-\u{9f}\u{2028}a]{0,40}", "[a-z ]{0,40}"]
}

fn logged() -> impl Strategy<Value = Logged> {
    prop_oneof![
        any::<i64>().prop_map(Logged::Signed),
        any::<u64>().prop_map(Logged::Unsigned),
        any::<i128>().prop_map(Logged::Wide),
        (-1 << 70..1_i128 << 70).prop_map(Logged::Wide),
        prop_oneof![any::<f64>(), Just(f64::NAN), Just(f64::INFINITY)].prop_map(Logged::Float),
        any::<bool>().prop_map(Logged::Truth),
        text().prop_map(Logged::Text),
        text().prop_map(Logged::Shown),
        text().prop_map(Logged::Debugged),
        (text(), text()).prop_map(|(error, source)| Logged::Failed(error, source)),
        Just(Logged::Nothing),
    ]
}

fn scene() -> impl Strategy<Value = Scene> {
    let fields = |most| prop::collection::vec((name(), logged()), 0..=most);
    let spans = prop::collection::vec(fields(4), 1..4);
    (spans, fields(3), fields(8), text()).prop_map(|(spans, bound, event, target)| Scene {
        spans,
        bound,
        event,
        target,
    })
}

#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the writer's thread wrote for `scenes`.
fn written(scenes: &[Scene]) -> String {
    let memory = Memory::default();
    let (layer, guard) = Logging::builder().writer(memory.clone()).layer().unwrap();
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::with_default(subscriber, || scenes.iter().for_each(Scene::log));
    drop(guard);
    String::from_utf8(memory.0.lock().unwrap().clone()).unwrap()
}

/// The same value, but for the last digit, which `serde_json` does not always read back.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => (one - other).abs() <= other.abs() * 1e-15,
        _ => one == other,
    }
}

proptest! {
    #[test]
    fn whatever_is_logged_is_one_flat_line_in_the_order_of_the_contract(scenes in prop::collection::vec(scene(), 1..4)) {
        let text = written(&scenes);
        let lines = LogLine::read_all(&text);
        prop_assert_eq!(lines.len(), scenes.len());
        for (line, scene) in lines.iter().zip(&scenes) {
            prop_assert_eq!(line.text("logger"), &scene.target);
            let expected = scene.expected();
            let names: Vec<_> = expected.iter().map(|(name, _)| name.as_str()).collect();
            prop_assert_eq!(&line.names()[3..], &names[..]);
            for ((name, value), (_, expected)) in line.0[3..].iter().zip(&expected) {
                prop_assert!(is_same(value, expected), "{name}: {value} and not {expected}");
            }
        }
    }
}

#[test]
fn a_line_of_megabytes_is_whole() {
    let long = "line\n".repeat(1 << 18);
    let event = vec![
        ("message".to_owned(), Logged::Text(long.clone())),
        ("copy".to_owned(), Logged::Shown(long.clone())),
    ];
    let scene = Scene {
        spans: vec![vec![("copy".to_owned(), Logged::Text(long))]],
        bound: Vec::new(),
        event,
        target: "t".to_owned(),
    };
    let lines = LogLine::read_all(&written(std::slice::from_ref(&scene)));
    assert_eq!(lines[0].0[3..], scene.expected()[..]);
}
