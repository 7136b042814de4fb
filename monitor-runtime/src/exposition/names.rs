//! The names of samples, each of which belongs to one family.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::LazyLock;

use foldhash::fast::RandomState;
use prometheus::proto::{MetricFamily, MetricType};

use crate::exposition::prometheus_collector::metric_type;
use crate::exposition::registration::own_metrics;
use crate::exposition::registry_labels::RegistryLabels;
use crate::families::catalog::{Kind, Metric};

/// The names that the families of an exposition take.
#[derive(Debug)]
pub(crate) struct Names {
    /// The prefix of our own names; `None` where our metrics are not shown.
    prefix: Option<String>,
    others: HashSet<String, RandomState>,
}

impl Names {
    /// Our own, as the registry gives them.
    pub(crate) fn new(around: Option<&RegistryLabels>) -> Self {
        Self { prefix: around.map(|around| around.prefix.clone()), others: HashSet::default() }
    }

    /// Takes the names of a family, or none of them.
    ///
    /// # Errors
    ///
    /// A name that another family has taken.
    pub(crate) fn take(&mut self, family: &MetricFamily) -> Result<(), String> {
        let names = || of_family(family.name(), family.get_field_type());
        if let Some(taken) = names().find(|name| self.has(name)) {
            return Err(taken.into_owned());
        }
        self.others.extend(names().map(Cow::into_owned));
        Ok(())
    }

    /// Whether a counter whose name is `stem` and `_total` may be called `stem`, as OpenMetrics calls it: a strict reader then keeps
    /// `_created` for it too.
    pub(crate) fn are_free_for_counter(&self, stem: &str) -> bool {
        !stem.is_empty() && !self.has(stem) && !self.others.contains(&format!("{stem}_created"))
    }

    /// Whether a family has that name, or a sample of that name.
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

/// `_created` of a counter of ours, which stays a counter in OpenMetrics.
fn created(ours: &Metric) -> Option<Cow<'static, str>> {
    let stem = ours.name.strip_suffix("_total").filter(|_| ours.kind == Kind::Counter)?;
    Some(Cow::Owned(format!("{stem}_created")))
}

/// The names that a family takes in any form. `_created` is among them though we never write it: a strict reader of
/// OpenMetrics keeps it for the family. A counter needs none: one that cannot have it is of unknown type there.
fn of_family(name: &str, kind: MetricType) -> impl Iterator<Item = Cow<'_, str>> {
    let suffixes: &[&str] = match kind {
        MetricType::HISTOGRAM => &["_bucket", "_sum", "_count", "_created"],
        MetricType::SUMMARY => &["_sum", "_count", "_created"],
        MetricType::COUNTER | MetricType::GAUGE | MetricType::UNTYPED => &[],
    };
    let more = suffixes.iter().map(move |suffix| Cow::Owned(format!("{name}{suffix}")));
    std::iter::once(Cow::Borrowed(name)).chain(more)
}
