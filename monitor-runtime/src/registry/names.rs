//! The names of samples, each of which belongs to one family.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::LazyLock;

use foldhash::fast::RandomState;
use prometheus::proto::{MetricFamily, MetricType};

use super::proto::metric_type;
use super::registration::own_metrics;
use super::surroundings::Surroundings;

/// The names that the families of an exposition take.
#[derive(Debug)]
pub(super) struct Names {
    /// The prefix of our own names; `None` where our metrics are not shown.
    prefix: Option<String>,
    others: HashSet<String, RandomState>,
}

impl Names {
    /// Our own, as the registry gives them.
    pub(super) fn new(around: Option<&Surroundings>) -> Self {
        Self { prefix: around.map(|around| around.prefix.clone()), others: HashSet::default() }
    }

    /// Takes the names of a family, or none of them.
    ///
    /// # Errors
    ///
    /// A name that another family has taken.
    pub(super) fn take(&mut self, family: &MetricFamily) -> Result<(), String> {
        let names = || of_family(family.name(), family.get_field_type());
        if let Some(taken) = names().find(|name| self.has(name)) {
            return Err(taken.into_owned());
        }
        self.others.extend(names().map(Cow::into_owned));
        Ok(())
    }

    /// Whether a family has that name, or a sample of that name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.others.contains(name) || self.is_ours(name)
    }

    fn is_ours(&self, name: &str) -> bool {
        static OURS: LazyLock<HashSet<Cow<'static, str>, RandomState>> = LazyLock::new(|| {
            own_metrics().iter().flat_map(|ours| of_family(ours.name, metric_type(ours.kind))).collect()
        });
        self.prefix
            .as_deref()
            .and_then(|prefix| name.strip_prefix(prefix))
            .is_some_and(|name| OURS.contains(name))
    }
}

/// The names that a family takes in any form. `_created` is among them though we never write it: a strict reader of
/// OpenMetrics keeps it for the family.
fn of_family(name: &str, kind: MetricType) -> impl Iterator<Item = Cow<'_, str>> {
    let (stem, suffixes): (&str, &[&str]) = match kind {
        MetricType::COUNTER => (name.strip_suffix("_total").unwrap_or_default(), &["_created"]),
        MetricType::HISTOGRAM => (name, &["_bucket", "_sum", "_count", "_created"]),
        MetricType::SUMMARY => (name, &["_sum", "_count", "_created"]),
        MetricType::GAUGE | MetricType::UNTYPED => ("", &[]),
    };
    let suffixes = if stem.is_empty() { &[] } else { suffixes };
    let more = suffixes.iter().map(move |suffix| Cow::Owned(format!("{stem}{suffix}")));
    std::iter::once(Cow::Borrowed(name)).chain(more)
}
