//! The contents of a registry that all formats show: our metrics, and those of the user's that every scraper can read.

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

/// A snapshot of a registry.
pub(crate) struct Contents {
    /// The registry's prefix and labels; [`foreign`](Self::foreign) already carries them.
    pub(crate) around: RegistryLabels,
    /// Our own metrics, sorted by name.
    pub(crate) own: Vec<MetricSnapshot>,
    /// All other metrics, sorted by name.
    pub(crate) foreign: Vec<MetricFamily>,
    /// The names in use: those of `foreign`, and those of all our metrics, including metrics without series.
    pub(crate) names: Names,
}

impl Contents {
    /// Reads a registry. `known` are its prefix and labels from an earlier read, since they cannot be read while a
    /// collector panics.
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

/// Keeps the families that every scraper can read. Each other one is left out whole and logged once a scrape, so a
/// broken collector does not cost the others their metrics.
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

/// The `process_*` metrics, collected without a registry.
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
