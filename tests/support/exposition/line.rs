//! One line of the text.

use super::family::{Kind, Labels, Sample};
use super::rule::{Broken, Rule};

/// The contents of a line.
pub(super) enum Line<'a> {
    Help { name: &'a str, text: String },
    Type { name: &'a str, kind: Kind },
    Sample(Sample),
}

impl<'a> Line<'a> {
    /// Reads a line without its newline.
    pub(super) fn parse(line: &'a str) -> Result<Self, Broken> {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help(rest)
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            kind(rest)
        } else if line.starts_with('#') {
            Err(Rule::NoComment.by(line))
        } else if line.trim().is_empty() {
            Err(Rule::NoBlankLine.by(line))
        } else {
            sample(line).map(Self::Sample)
        }
    }
}

fn help(rest: &str) -> Result<Line<'_>, Broken> {
    match rest.split_once(' ') {
        Some((name, text)) if !text.is_empty() => {
            Ok(Line::Help { name: metric_name(name)?, text: unescape(text, false)? })
        }
        _ => Err(Rule::HelpText.by(rest)),
    }
}

fn kind(rest: &str) -> Result<Line<'_>, Broken> {
    let (name, kind) = rest.split_once(' ').ok_or_else(|| Rule::KnownType.by(rest))?;
    let name = metric_name(name)?;
    let kind = Kind::parse(kind).ok_or_else(|| Rule::KnownType.by(kind))?;
    Ok(Line::Type { name, kind })
}

/// Reads a name and its labels; returns the rest of the line with them.
pub(super) fn series(line: &str) -> Result<(&str, Labels, &str), Broken> {
    let end = line.find(['{', ' ']).unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    let name = metric_name(name)?;
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Vec::new(), rest),
    };
    Ok((name, labels, rest))
}

fn sample(line: &str) -> Result<Sample, Broken> {
    let (name, labels, rest) = series(line)?;
    let name = name.to_owned();
    let mut tokens = rest.strip_prefix(' ').ok_or_else(|| Rule::Value.by(rest))?.split(' ');
    let value = number(tokens.next().unwrap_or_default())?;
    let timestamp = tokens.next().map(timestamp).transpose()?;
    match tokens.next() {
        Some(token) => Err(Rule::NothingAfterSample.by(token)),
        None => Ok(Sample { name, labels, value, timestamp, line: 0 }),
    }
}

/// Reads labels from behind the opening brace; gives what follows the closing one.
fn labels(mut rest: &str) -> Result<(Labels, &str), Broken> {
    let mut labels = Vec::new();
    loop {
        let (name, after) = rest.split_once("=\"").ok_or_else(|| Rule::Labels.by(rest))?;
        let name = label_name(name)?;
        let end = closing_quote(after).ok_or_else(|| Rule::Labels.by(rest))?;
        if labels.iter().any(|(known, _)| known == name) {
            return Err(Rule::DuplicateLabel.by(name));
        }
        labels.push((name.to_owned(), unescape(&after[..end], true)?));
        let after = &after[end + 1..];
        if let Some(after) = after.strip_prefix('}') {
            return Ok((labels, after));
        }
        rest = after.strip_prefix(',').ok_or_else(|| Rule::Labels.by(after))?;
    }
}

/// The position of the first unescaped quote.
fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, char)| {
        let closes = char == '"' && !escaped;
        escaped = char == '\\' && !escaped;
        closes.then_some(at)
    })
}

fn unescape(text: &str, in_label: bool) -> Result<String, Broken> {
    let rule = if in_label { Rule::LabelEscape } else { Rule::HelpEscape };
    let mut chars = text.chars();
    let mut plain = String::with_capacity(text.len());
    while let Some(char) = chars.next() {
        plain.push(match char {
            '\\' => match chars.next() {
                Some('\\') => '\\',
                Some('n') => '\n',
                Some('"') if in_label => '"',
                _ => return Err(rule.by(text)),
            },
            char => char,
        });
    }
    Ok(plain)
}

/// Reads what writers produce; Rust's own parser would also take `inf`, `nan` and `infinity`.
fn number(text: &str) -> Result<f64, Broken> {
    match text {
        "NaN" => Ok(f64::NAN),
        "+Inf" => Ok(f64::INFINITY),
        "-Inf" => Ok(f64::NEG_INFINITY),
        _ => text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'))
            .then(|| text.parse().ok())
            .flatten()
            .ok_or_else(|| Rule::Value.by(text)),
    }
}

fn timestamp(text: &str) -> Result<i64, Broken> {
    text.parse().map_err(|_| Rule::Timestamp.by(text))
}

fn metric_name(name: &str) -> Result<&str, Broken> {
    if is_name(name, b":_") { Ok(name) } else { Err(Rule::MetricName.by(name)) }
}

fn label_name(name: &str) -> Result<&str, Broken> {
    if is_name(name, b"_") && !name.starts_with("__") { Ok(name) } else { Err(Rule::LabelName.by(name)) }
}

fn is_name(name: &str, marks: &[u8]) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || marks.contains(&byte))
}

/// Reads a bucket's bound as it reads a value.
pub(super) fn bound(text: &str) -> Option<f64> {
    number(text).ok().filter(|bound| !bound.is_nan())
}
