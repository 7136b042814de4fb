//! What the query of a readiness probe asks for.

use std::collections::BTreeSet;

/// What the query of a readiness probe asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ReadinessQuery {
    /// `verbose`, whatever its value: a line a check, as text.
    pub(crate) verbose: bool,
    /// Each `exclude`: the names of checks to leave out.
    pub(crate) exclude: BTreeSet<String>,
}

impl ReadinessQuery {
    pub(crate) fn of(text: Option<&str>) -> Self {
        let mut query = Self::default();
        for (key, value) in form_urlencoded::parse(text.unwrap_or_default().as_bytes()) {
            match &*key {
                "verbose" => query.verbose = true,
                "exclude" => drop(query.exclude.insert(value.into_owned())),
                _ => {}
            }
        }
        query
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
    fn a_query_may_repeat_exclude_and_give_verbose_any_value() {
        let query = ReadinessQuery::of(Some("exclude=a&verbose=false&x=1&exclude=b%2Dc&exclude=a"));
        assert!(query.verbose);
        assert_eq!(query.exclude.iter().collect::<Vec<_>>(), ["a", "b-c"]);
        assert_eq!(query.unmatched(["a"].into_iter()).as_deref(), Some("\"b-c\""));
        assert_eq!(ReadinessQuery::of(None), ReadinessQuery::default());
    }
}
