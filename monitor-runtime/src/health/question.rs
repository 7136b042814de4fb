//! What a probe asks for: its route, and what the query adds.

use std::collections::BTreeSet;

pub(crate) const LIVE: &str = "/health/live";
pub(crate) const READY: &str = "/health/ready";
pub(crate) const STARTUP: &str = "/health/startup";
pub(crate) const METRICS: &str = "/health/metrics";

/// A route of the monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe<'a> {
    Live,
    Ready,
    /// The check of that name.
    Check(&'a str),
    Startup,
    Metrics,
}

impl<'a> Probe<'a> {
    /// The route at exactly this path.
    pub(crate) fn at(path: &'a str) -> Option<Self> {
        match path {
            LIVE => Some(Self::Live),
            READY => Some(Self::Ready),
            STARTUP => Some(Self::Startup),
            METRICS => Some(Self::Metrics),
            _ => {
                let name = path.strip_prefix(READY)?.strip_prefix('/')?;
                (!name.is_empty() && !name.contains('/')).then_some(Self::Check(name))
            }
        }
    }
}

/// What the query of a readiness probe asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Question {
    /// `verbose`, whatever its value: a line a check, as text.
    pub(crate) verbose: bool,
    /// Each `exclude`: the names of checks to leave out.
    pub(crate) exclude: BTreeSet<String>,
}

impl Question {
    pub(crate) fn of(query: Option<&str>) -> Self {
        let mut question = Self::default();
        for (key, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            match &*key {
                "verbose" => question.verbose = true,
                "exclude" => drop(question.exclude.insert(value.into_owned())),
                _ => {}
            }
        }
        question
    }

    /// The excluded names that no check has, each in quotes, sorted.
    pub(crate) fn unmatched<'n>(&self, names: impl Iterator<Item = &'n str>) -> Option<String> {
        let names: BTreeSet<_> = names.collect();
        let unknown = self.exclude.iter().filter(|name| !names.contains(name.as_str()));
        let quoted: Vec<_> = unknown.map(|name| format!("{name:?}")).collect();
        (!quoted.is_empty()).then(|| quoted.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_known_by_their_exact_paths() {
        assert_eq!(Probe::at("/health/ready"), Some(Probe::Ready));
        assert_eq!(Probe::at("/health/ready/database"), Some(Probe::Check("database")));
        for path in
            ["/", "/health", "/health/ready/", "/health/ready/a/b", "/health/readyz", "/x/health/live"]
        {
            assert_eq!(Probe::at(path), None, "{path}");
        }
    }

    #[test]
    fn a_query_may_repeat_exclude_and_give_verbose_any_value() {
        let question = Question::of(Some("exclude=a&verbose=false&x=1&exclude=b%2Dc&exclude=a"));
        assert!(question.verbose);
        assert_eq!(question.exclude.iter().collect::<Vec<_>>(), ["a", "b-c"]);
        assert_eq!(question.unmatched(["a"].into_iter()).as_deref(), Some("\"b-c\""));
        assert_eq!(Question::of(None), Question::default());
    }
}
