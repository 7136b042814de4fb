//! A reader that continues after unreadable lines.
//! <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>

use super::{LintRule, Problems};

/// A metric's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
    Summary,
    Untyped,
}

/// A metric with all its lines.
#[derive(Debug)]
pub(super) struct Family<'t> {
    pub(super) name: &'t str,
    /// Its first line.
    pub(super) line: usize,
    pub(super) help: Option<&'t str>,
    pub(super) kind: Option<Kind>,
    pub(super) samples: Vec<Sample<'t>>,
}

/// One sample.
#[derive(Debug)]
pub(super) struct Sample<'t> {
    pub(super) line: usize,
    pub(super) name: &'t str,
    /// Values are unescaped.
    pub(super) labels: Vec<(&'t str, String)>,
    pub(super) value: f64,
}

impl Sample<'_> {
    pub(super) fn sorted_labels(&self) -> Vec<(&str, &str)> {
        let mut labels: Vec<_> = self.labels.iter().map(|(name, value)| (*name, value.as_str())).collect();
        labels.sort_unstable();
        labels
    }
}

/// Reads all families, and reports unreadable lines.
pub(super) fn read<'t>(text: &'t str, problems: &mut Problems) -> Vec<Family<'t>> {
    let mut reader = Reader { families: Vec::new(), problems };
    for (index, line) in text.lines().enumerate() {
        if let Err(message) = reader.line(index + 1, line.trim_matches([' ', '\t'])) {
            reader.problems.note(index + 1, line, LintRule::Malformed, message);
        }
    }
    if !text.is_empty() && !text.ends_with('\n') {
        let (number, last) = (text.lines().count(), text.lines().last().unwrap_or_default());
        reader.problems.note(
            number,
            last,
            LintRule::Malformed,
            "the last line does not end; expected a line feed",
        );
    }
    reader.families
}

struct Reader<'t, 'p> {
    families: Vec<Family<'t>>,
    problems: &'p mut Problems,
}

impl<'t> Reader<'t, '_> {
    fn line(&mut self, number: usize, line: &'t str) -> Result<(), String> {
        if let Some(comment) = line.strip_prefix('#') {
            let comment = comment.trim_start();
            let (word, rest) = comment.split_once([' ', '\t']).unwrap_or((comment, ""));
            return match word {
                "HELP" => self.help(number, rest),
                "TYPE" => self.kind(number, rest),
                _ => Ok(()),
            };
        }
        if line.is_empty() { Ok(()) } else { self.sample(number, line) }
    }

    fn help(&mut self, number: usize, rest: &'t str) -> Result<(), String> {
        let (name, text) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
        let family = self.family(number, name)?;
        if family.help.is_some() {
            return Err(format!("`{name}` has a help text already; expected one"));
        }
        family.help = Some(text);
        Ok(())
    }

    fn kind(&mut self, number: usize, rest: &'t str) -> Result<(), String> {
        let (name, kind) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
        let kind = match kind.trim() {
            "counter" => Kind::Counter,
            "gauge" => Kind::Gauge,
            "histogram" => Kind::Histogram,
            "summary" => Kind::Summary,
            "untyped" => Kind::Untyped,
            other => {
                return Err(format!(
                    "`{other}` is no type; expected counter, gauge, histogram, summary or untyped"
                ));
            }
        };
        let family = self.family(number, name)?;
        if family.kind.is_some() || !family.samples.is_empty() {
            return Err(format!(
                "the type of `{name}` comes too late; expected one, before the first sample"
            ));
        }
        family.kind = Some(kind);
        Ok(())
    }

    fn sample(&mut self, number: usize, line: &'t str) -> Result<(), String> {
        let end = line.find(|character: char| !is_of_name(character)).unwrap_or(line.len());
        let (name, rest) = line.split_at(end);
        let mut rest = rest.trim_start();
        let mut labels = Vec::new();
        if let Some(inside) = rest.strip_prefix('{') {
            rest = read_labels(inside, &mut labels)?;
        }
        let mut numbers = rest.split_ascii_whitespace();
        let value = numbers.next().unwrap_or_default();
        let value = value.parse().map_err(|_| format!("`{value}` is no value; expected a number"))?;
        match (numbers.next().map(str::parse::<i64>), numbers.next()) {
            (None | Some(Ok(_)), None) => {}
            _ => return Err(format!("`{rest}` is no value; expected a number, and perhaps milliseconds")),
        }
        let owner = self.owner(name);
        self.family(number, owner)?.samples.push(Sample { line: number, name, labels, value });
        Ok(())
    }

    /// The name of the family that a sample of this name belongs to.
    fn owner(&self, name: &'t str) -> &'t str {
        let owns = |suffix: &str, kinds: &[Kind]| {
            let stem = name.strip_suffix(suffix)?;
            let family = self.families.iter().rfind(|family| family.name == stem)?;
            family.kind.filter(|kind| kinds.contains(kind)).map(|_| family.name)
        };
        let both = [Kind::Histogram, Kind::Summary];
        let owner =
            owns("_bucket", &both[..1]).or_else(|| owns("_sum", &both)).or_else(|| owns("_count", &both));
        owner.unwrap_or(name)
    }

    /// The family of that name, created if missing. Returning to an earlier family is reported.
    fn family(&mut self, line: usize, name: &'t str) -> Result<&mut Family<'t>, String> {
        if !is_name(name) {
            return Err(format!(
                "`{name}` is no metric's name; expected letters, digits, `_` and `:`, no digit first"
            ));
        }
        let last = self.families.len();
        let place = self.families.iter().rposition(|family| family.name == name).unwrap_or(last);
        if place == last {
            self.families.push(Family { name, line, help: None, kind: None, samples: Vec::new() });
        } else if place + 1 < last {
            let message = "its lines are in several places; expected them together";
            self.problems.note(line, name, LintRule::Scattered, message);
        }
        Ok(&mut self.families[place])
    }
}

/// Reads `name="value",…}`, and returns it with the rest of the text.
fn read_labels<'t>(mut rest: &'t str, labels: &mut Vec<(&'t str, String)>) -> Result<&'t str, String> {
    loop {
        rest = rest.trim_start();
        if let Some(behind) = rest.strip_prefix('}') {
            return Ok(behind);
        }
        let (name, value) = rest.split_once('=').ok_or("a label has no value; expected `name=\"value\"`")?;
        let name = name.trim();
        if !is_label(name) {
            return Err(format!(
                "`{name}` is no label's name; expected letters, digits and `_`, no digit first"
            ));
        }
        if labels.iter().any(|(known, _)| *known == name) {
            return Err(format!("the label `{name}` is given twice"));
        }
        let quoted = value.trim_start().strip_prefix('"').ok_or("a label's value has no quotes")?;
        let (value, behind) = unescape(quoted)
            .ok_or("a label's value does not end, or has another escape than \\\\, \\\" and \\n")?;
        labels.push((name, value));
        let behind = behind.trim_start();
        rest = match behind.strip_prefix(',') {
            Some(more) => more,
            None if behind.starts_with('}') => behind,
            None => return Err("the labels do not end; expected `}` or `,` behind a value".to_owned()),
        };
    }
}

/// Reads up to the closing quote, and returns the value with the rest of the text.
fn unescape(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match characters.next()?.1 {
                'n' => '\n',
                same @ ('\\' | '"') => same,
                _ => return None,
            }),
            other => value.push(other),
        }
    }
    None
}

fn is_name(name: &str) -> bool {
    name.chars().all(is_of_name)
        && !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
}

fn is_label(name: &str) -> bool {
    is_name(name) && !name.contains(':')
}

fn is_of_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | ':')
}
