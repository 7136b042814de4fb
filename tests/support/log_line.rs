//! A log line read strictly: one flat JSON object, no key twice, in its order.
#![allow(dead_code, reason = "every test file compiles all of it and uses its own part")]

use std::fmt;

use serde_json::Value;
use serde_json::value::Number;

/// A line's fields in the order of the line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LogLine(pub(crate) Vec<(String, Value)>);

impl LogLine {
    /// Reads one line without its line feed; panics, with the line, if it is anything else than it should be.
    pub(crate) fn read(text: &str) -> Self {
        let fields = parse(text).unwrap_or_else(|error| panic!("{error}: {text:?}"));
        let line = Self(fields);
        let names: Vec<_> = line.names().into_iter().take(4).collect();
        assert_eq!(names, ["timestamp", "level", "logger", "event"], "{text}");
        line
    }

    /// Reads every line of `text`, which ends with a line feed.
    pub(crate) fn read_all(text: &str) -> Vec<Self> {
        assert!(text.is_empty() || text.ends_with('\n'), "the last line broke off: {text:?}");
        text.split_terminator('\n').map(Self::read).collect()
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| name.as_str()).collect()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(field, _)| field == name).map(|(_, value)| value)
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        self.get(name).and_then(Value::as_str).unwrap_or_else(|| panic!("no text `{name}` in {self:?}"))
    }

    /// The fields behind the four that every line begins with.
    pub(crate) fn fields(&self) -> Vec<(&str, &Value)> {
        self.0[4..].iter().map(|(name, value)| (name.as_str(), value)).collect()
    }
}

/// A reader of exactly the JSON that a line may be; `serde_json` would let the last of two equal keys win.
fn parse(text: &str) -> Result<Vec<(String, Value)>, String> {
    let inside = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).ok_or("no object")?;
    let mut fields: Vec<(String, Value)> = Vec::new();
    let mut rest = inside;
    while !rest.is_empty() {
        let (name, after) = string(rest)?;
        let (value, after) = scalar(after.strip_prefix(':').ok_or("no colon behind a name")?)?;
        if fields.iter().any(|(known, _)| *known == name) {
            return Err(format!("`{name}` stands twice"));
        }
        fields.push((name, value));
        rest = match after.strip_prefix(',') {
            Some("") => return Err("a comma at the end".to_owned()),
            Some(rest) => rest,
            None if after.is_empty() => after,
            None => return Err(format!("no comma before `{after}`")),
        };
    }
    Ok(fields)
}

/// The string at the front, unescaped, and what follows it.
fn string(text: &str) -> Result<(String, &str), String> {
    let mut is_escaped = false;
    let end = text.bytes().enumerate().skip(1).find(|&(_, byte)| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    });
    let (end, _) = end.filter(|_| text.starts_with('"')).ok_or_else(|| format!("no string: {text}"))?;
    let (string, rest) = text.split_at(end + 1);
    let string = serde_json::from_str(string).map_err(|error| error.to_string())?;
    Ok((string, rest))
}

/// The string, number or truth value at the front, and what follows it.
fn scalar(text: &str) -> Result<(Value, &str), String> {
    if text.starts_with('"') {
        return string(text).map(|(string, rest)| (Value::String(string), rest));
    }
    let (scalar, rest) = text.split_at(text.find(',').unwrap_or(text.len()));
    match scalar {
        "true" => Ok((Value::Bool(true), rest)),
        "false" => Ok((Value::Bool(false), rest)),
        _ => match serde_json::from_str::<Number>(scalar) {
            Ok(number) => Ok((Value::Number(number), rest)),
            Err(error) => Err(error.to_string()),
        },
    }
}

impl fmt::Display for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(name, value)| write!(f, "{name}={value} "))
    }
}

#[test]
fn a_line_that_is_no_flat_object_with_distinct_keys_is_refused() {
    for wrong in [
        "",
        "{",
        "[]",
        r#"{"a":1"#,
        r#"{"a":1,}"#,
        r#"{"a":1,"a":2}"#,
        r#"{"a":1,"\u0061":2}"#,
        r#"{"a":{}}"#,
        r#"{"a":[1]}"#,
        r#"{"a":null}"#,
        r#"{"a":NaN}"#,
        r#"{"a":01}"#,
        r#"{"a":1 }{"#,
        r#"{"a":"b" "c"}"#,
        "{\"a\":\"\n\"}",
        "{\"a\":\"\u{1}\"}",
        r#"{"a":"\ud800"}"#,
    ] {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
    assert_eq!(parse(r#"{"a":"x,\"}","b":-1.5e3}"#).unwrap().len(), 2);
}
