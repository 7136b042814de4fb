//! Families and their samples.

use super::rule::{Broken, Rule};

/// A metric family: the samples under one HELP and one TYPE line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Family {
    pub(crate) name: String,
    /// Unescaped.
    pub(crate) help: Option<String>,
    /// `None` only while the family is being read: a sample needs a TYPE.
    pub(crate) kind: Option<Kind>,
    pub(crate) samples: Vec<Sample>,
}

/// The type on a TYPE line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
    Summary,
    Untyped,
}

/// Names and unescaped values, in the order of the text.
pub(crate) type Labels = Vec<(String, String)>;

/// One line with a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: Labels,
    pub(crate) value: f64,
    /// Milliseconds since the epoch.
    pub(crate) timestamp: Option<i64>,
    /// Counted from 1.
    pub(crate) line: usize,
}

impl Family {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), help: None, kind: None, samples: Vec::new() }
    }

    pub(super) fn set_help(&mut self, text: String) -> Result<(), Broken> {
        self.still_without(self.help.is_some(), Rule::OneHelp)?;
        self.help = Some(text);
        Ok(())
    }

    pub(super) fn set_kind(&mut self, kind: Kind) -> Result<(), Broken> {
        self.still_without(self.kind.is_some(), Rule::OneType)?;
        self.kind = Some(kind);
        Ok(())
    }

    fn still_without(&self, has_one: bool, rule: Rule) -> Result<(), Broken> {
        if has_one {
            Err(rule.by(&self.name))
        } else if self.samples.is_empty() {
            Ok(())
        } else {
            Err(Rule::MetadataFirst.by(&self.name))
        }
    }

    /// Whether a sample of that name is one of this family's.
    pub(super) fn owns(&self, sample: &str) -> bool {
        let suffix = sample.strip_prefix(self.name.as_str());
        match self.kind {
            None => false,
            Some(Kind::Counter | Kind::Gauge | Kind::Untyped) => suffix == Some(""),
            Some(Kind::Histogram) => matches!(suffix, Some("_bucket" | "_sum" | "_count")),
            Some(Kind::Summary) => matches!(suffix, Some("" | "_sum" | "_count")),
        }
    }

    pub(super) fn push(&mut self, sample: Sample) -> Result<(), Broken> {
        if self.kind == Some(Kind::Counter) && (sample.value.is_nan() || sample.value < 0.0) {
            return Err(Rule::CounterNotNegative.by(sample.value.to_string()));
        }
        self.samples.push(sample);
        Ok(())
    }
}

impl Kind {
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "counter" => Self::Counter,
            "gauge" => Self::Gauge,
            "histogram" => Self::Histogram,
            "summary" => Self::Summary,
            "untyped" => Self::Untyped,
            _ => return None,
        })
    }
}

impl Kind {
    /// Its word on a TYPE line.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Summary => "summary",
            Self::Untyped => "untyped",
        }
    }
}

impl Sample {
    /// The value of that label.
    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether these are exactly its labels, in whichever order.
    pub(crate) fn has_labels(&self, labels: &[(&str, &str)]) -> bool {
        self.labels.len() == labels.len()
            && labels.iter().all(|&(name, value)| self.label(name) == Some(value))
    }

    pub(super) fn sorted_labels(&self) -> Labels {
        let mut labels = self.labels.clone();
        labels.sort_unstable();
        labels
    }
}
