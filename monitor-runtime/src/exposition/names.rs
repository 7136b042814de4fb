//! The names of families and samples in an exposition. Each belongs to one family only.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::LazyLock;

use foldhash::fast::RandomState;
use prometheus::proto::{MetricFamily, MetricType};

use crate::exposition::prometheus_collector::metric_type;
use crate::exposition::registration::own_metrics;
use crate::exposition::registry_labels::RegistryLabels;
use crate::families::catalog::{Kind, Metric};

/// The names in use in an exposition.
#[derive(Debug)]
pub(crate) struct Names {
    /// The registry's prefix of our names; `None` if the registry does not show our metrics.
    prefix: Option<String>,
    others: HashSet<String, RandomState>,
}

impl Names {
    /// Starts with the names of our own metrics.
    pub(crate) fn new(around: Option<&RegistryLabels>) -> Self {
        Self { prefix: around.map(|around| around.prefix.clone()), others: HashSet::default() }
    }

    /// Takes all names of a family, or none of them.
    ///
    /// # Errors
    ///
    /// Returns the first name that belongs to another family.
    pub(crate) fn take(&mut self, family: &MetricFamily) -> Result<(), String> {
        let names = || of_family(family.name(), family.get_field_type());
        if let Some(taken) = names().find(|name| self.has(name)) {
            return Err(taken.into_owned());
        }
        self.others.extend(names().map(Cow::into_owned));
        Ok(())
    }

    /// Whether the counter `{stem}_total` may be named `stem` in OpenMetrics. A strict reader then reserves
    /// `{stem}_created` as well.
    pub(crate) fn are_free_for_counter(&self, stem: &str) -> bool {
        !stem.is_empty() && !self.has(stem) && !self.others.contains(&format!("{stem}_created"))
    }

    /// Whether a family or a sample has that name.
    fn has(&self, name: &str) -> bool {
        self.others.contains(name) || self.is_ours(name)
    }

    fn is_ours(&self, name: &str) -> bool {
        static OURS: LazyLock<HashSet<Cow<'static, str>, RandomState>> = LazyLock::new(|| {
            let names =
                |ours: &&'static Metric| of_family(ours.name, metric_type(ours.kind)).chain(created(ours));
            own_metrics().iter().flat_map(names).collect()
        });
        self.prefix
            .as_deref()
            .and_then(|prefix| name.strip_prefix(prefix))
            .is_some_and(|name| OURS.contains(name))
    }
}

/// The reserved name `_created` of one of our counters, which stay counters in OpenMetrics.
fn created(ours: &Metric) -> Option<Cow<'static, str>> {
    let stem = ours.name.strip_suffix("_total").filter(|_| ours.kind == Kind::Counter)?;
    Some(Cow::Owned(format!("{stem}_created")))
}

/// All names that a family takes in any format. `_created` is one of them although we never write it, since a strict
/// reader of OpenMetrics reserves it. A foreign counter does not reserve it here: if the name is taken, OpenMetrics
/// shows the counter with an unknown type.
fn of_family(name: &str, kind: MetricType) -> impl Iterator<Item = Cow<'_, str>> {
    let suffixes: &[&str] = match kind {
        MetricType::HISTOGRAM => &["_bucket", "_sum", "_count", "_created"],
        MetricType::SUMMARY => &["_sum", "_count", "_created"],
        MetricType::COUNTER | MetricType::GAUGE | MetricType::UNTYPED => &[],
    };
    let more = suffixes.iter().map(move |suffix| Cow::Owned(format!("{name}{suffix}")));
    std::iter::once(Cow::Borrowed(name)).chain(more)
}
