//! A strict reader of the Prometheus text format 0.0.4, for tests.
//!
//! It takes the canonical form that well-behaved writers produce (one space between tokens, no blank lines, no
//! comments, every family typed) and refuses everything else, also text that is well formed and wrong: scattered
//! families, repeated series, histograms that contradict themselves.
//! The format: <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>.

mod family;
mod histogram;
mod line;
mod rule;

use std::collections::HashSet;

pub(crate) use family::{Family, Kind, Labels, Sample};
pub(crate) use rule::{Rule, Violation};

use line::Line;
use rule::Broken;

/// A whole scrape, read and found in order.
#[derive(Debug, PartialEq)]
pub(crate) struct Exposition {
    families: Vec<Family>,
}

impl Exposition {
    /// Reads a scrape.
    ///
    /// # Errors
    ///
    /// A line that breaks a rule, the rule, and what was found in place of what it asks for.
    pub(crate) fn parse(text: &str) -> Result<Self, Violation> {
        let mut reader = Reader::default();
        for (index, text) in text.split_inclusive('\n').enumerate() {
            let number = index + 1;
            let read = text
                .strip_suffix('\n')
                .ok_or_else(|| Rule::NoFinalNewline.by(text))
                .and_then(Line::parse)
                .and_then(|line| reader.take(number, line));
            read.map_err(|broken| broken.at(number))?;
        }
        reader.families.iter().try_for_each(histogram::check)?;
        Ok(Self { families: reader.families })
    }

    /// Reads a scrape of a writer that breaks no rule.
    ///
    /// # Panics
    ///
    /// Panics with the violation and the text.
    #[track_caller]
    pub(crate) fn read(text: &str) -> Self {
        Self::parse(text).unwrap_or_else(|violation| panic!("{violation}\n{text}"))
    }

    /// Reads one family, for tests that poll a process whose other families are large.
    ///
    /// # Panics
    ///
    /// As [`read`](Self::read), for the lines of that family.
    #[track_caller]
    pub(crate) fn read_family(text: &str, name: &str) -> Self {
        let is_head = |line: &&str| {
            let rest = line.strip_prefix("# HELP ").or_else(|| line.strip_prefix("# TYPE "));
            rest.is_some_and(|rest| rest.split(' ').next() == Some(name))
        };
        let lines = text.split_inclusive('\n').skip_while(|line| !is_head(line));
        let lines: String = lines.take_while(|line| is_head(line) || !line.starts_with('#')).collect();
        Self::read(&lines)
    }

    /// The families, in the order of the text.
    pub(crate) fn families(&self) -> &[Family] {
        &self.families
    }

    /// The family of that name.
    pub(crate) fn family(&self, name: &str) -> Option<&Family> {
        self.families.iter().find(|family| family.name == name)
    }

    /// The samples of that name (`x_bucket`, not `x`, for a histogram's buckets), in the order of the text.
    pub(crate) fn samples<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a Sample> + use<'a, 'n> {
        self.families.iter().flat_map(|family| &family.samples).filter(move |sample| sample.name == name)
    }

    /// The one series of that name with exactly these labels, in whichever order.
    pub(crate) fn series(&self, name: &str, labels: &[(&str, &str)]) -> Option<&Sample> {
        self.samples(name).find(|sample| sample.has_labels(labels))
    }

    /// The value of that one series.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        self.series(name, labels).map(|sample| sample.value)
    }

    /// The value of a series in the notation of the text, such as `up{job="a"}`, with its labels in any order.
    ///
    /// # Panics
    ///
    /// Panics if `series` is not a name with labels.
    #[track_caller]
    pub(crate) fn at(&self, series: &str) -> Option<f64> {
        let Ok((name, labels, "")) = line::series(series) else {
            panic!("`{series}` is not a name with labels")
        };
        let labels: Vec<_> = labels.iter().map(|(name, value)| (&**name, &**value)).collect();
        self.value(name, &labels)
    }

    /// As [`at`](Self::at), for a value that counts something.
    ///
    /// # Panics
    ///
    /// Panics if the value is not a whole number from 0 on.
    #[track_caller]
    pub(crate) fn count(&self, series: &str) -> Option<u64> {
        self.at(series).map(whole)
    }

    /// The sum of a counter's series, and 0 without any.
    ///
    /// # Panics
    ///
    /// Panics if it is not a whole number.
    #[track_caller]
    pub(crate) fn total(&self, name: &str) -> u64 {
        whole(self.samples(name).fold(0.0, |total, sample| total + sample.value))
    }
}

#[track_caller]
fn whole(value: f64) -> u64 {
    value.to_string().parse().unwrap_or_else(|_| panic!("{value} is not a count"))
}

/// The families read so far; the last one is open.
#[derive(Default)]
struct Reader {
    families: Vec<Family>,
    series: HashSet<(String, Labels)>,
}

impl Reader {
    fn take(&mut self, number: usize, line: Line<'_>) -> Result<(), Broken> {
        match line {
            Line::Help { name, text } => self.open(name)?.set_help(text),
            Line::Type { name, kind } => self.open(name)?.set_kind(kind),
            Line::Sample(sample) => self.sample(Sample { line: number, ..sample }),
        }
    }

    /// The family of that name: the open one, or a new one without earlier lines elsewhere.
    fn open(&mut self, name: &str) -> Result<&mut Family, Broken> {
        let last = self.families.len();
        let at = self.families.iter().position(|family| family.name == name).unwrap_or(last);
        if at + 1 < last {
            return Err(Rule::NotGrouped.by(name));
        }
        if at == last {
            self.families.push(Family::new(name));
        }
        Ok(&mut self.families[at])
    }

    fn sample(&mut self, sample: Sample) -> Result<(), Broken> {
        if !self.series.insert((sample.name.clone(), sample.sorted_labels())) {
            return Err(Rule::DuplicateSeries.by(sample.name));
        }
        let last = self.families.len();
        let mut owners = (0..last).filter(|&index| self.families[index].owns(&sample.name));
        match (owners.next(), owners.next()) {
            (None, _) => Err(Rule::NoType.by(sample.name)),
            (Some(index), None) if index + 1 == last => self.families[index].push(sample),
            (Some(_), _) => Err(Rule::NotGrouped.by(sample.name)),
        }
    }
}
