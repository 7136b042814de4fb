//! What a registry holds, as every form shows it: our own metrics, and of the user's those that scrapers can read.

use prometheus::Registry;
#[cfg(target_os = "linux")]
use prometheus::core::Collector as _;
use prometheus::proto::MetricFamily;

use crate::exposition::foreign;
use crate::exposition::names::Names;
use crate::exposition::prometheus_collector;
use crate::exposition::registry_labels::RegistryLabels;
use crate::families;
use crate::families::snapshot::MetricSnapshot;

/// One reading of a registry.
pub(crate) struct Contents {
    /// What the registry adds; [`foreign`](Self::foreign) have it already.
    pub(crate) around: RegistryLabels,
    /// A snapshot of our own metrics, by name.
    pub(crate) own: Vec<MetricSnapshot>,
    /// All others, by name.
    pub(crate) foreign: Vec<MetricFamily>,
    /// Theirs, and those of our metrics that have no series yet.
    pub(crate) names: Names,
}

impl Contents {
    /// Reads a registry. `known` is what it is known to add, which it cannot be asked for while a collector panics.
    pub(crate) fn read(registry: &Registry, known: Option<&RegistryLabels>) -> Self {
        let (around, others) = prometheus_collector::gather(registry).unwrap_or_else(|panic| {
            tracing::warn!(
                target: "monitor_runtime::metrics",
                panic,
                "a collector of the registry panicked; metrics other than ours are left out"
            );
            (known.cloned(), known.map(of_the_process).unwrap_or_default())
        });
        let mut names = Names::new(around.as_ref());
        let foreign = readable(others, &mut names);
        let mut own = Vec::new();
        if around.is_some() {
            own = families::read();
        }
        Self { around: around.unwrap_or_default(), own, foreign, names }
    }
}

/// The families that every scraper can read. Another is left out whole, and said once a scrape, so that one broken collector
/// does not cost the others their metrics.
fn readable(mut families: Vec<MetricFamily>, names: &mut Names) -> Vec<MetricFamily> {
    families.retain(|family| {
        let checked = foreign::check(family).and_then(|()| {
            names.take(family).map_err(|taken| format!("the name `{taken}` is that of another metric, or of its samples"))
        });
        if let Err(error) = &checked {
            tracing::warn!(target: "monitor_runtime::metrics", metric = family.name(), error, "a metric family could not be encoded");
        }
        checked.is_ok()
    });
    families
}

/// The standard metrics of the process, without a registry.
fn of_the_process(around: &RegistryLabels) -> Vec<MetricFamily> {
    #[cfg(target_os = "linux")]
    {
        let families = crate::families::own_process::collector().map(|collector| collector.collect());
        families.unwrap_or_default().into_iter().map(|family| around.given(family)).collect()
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = around;
        Vec::new()
    }
}
