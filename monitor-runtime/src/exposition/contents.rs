//! What a registry holds, as every form shows it: our own metrics, and of the user's those that scrapers can read.

use prometheus::Registry;
use prometheus::core::Collector as _;
use prometheus::proto::{LabelPair, Metric, MetricFamily};

use crate::exposition::foreign;
use crate::exposition::names::Names;
use crate::exposition::prometheus_collector;
use crate::exposition::registry_labels::Surroundings;
use crate::families::process;
use crate::families::read_cells;
use crate::families::snapshot::Shown;

/// One reading of a registry.
pub(crate) struct Contents {
    /// What the registry adds; [`families`](Self::families) have it already.
    pub(crate) around: Surroundings,
    /// Our own families that are kept in cells, by name.
    pub(crate) own: Vec<Shown>,
    /// All others, by name.
    pub(crate) families: Vec<MetricFamily>,
    /// Theirs, and those of our metrics that have no series yet.
    #[cfg_attr(not(feature = "health"), allow(dead_code, reason = "only OpenMetrics asks"))]
    pub(crate) names: Names,
}

impl Contents {
    /// Reads a registry. `known` is what it is known to add, which it cannot be asked for while a collector panics.
    pub(crate) fn read(registry: &Registry, known: Option<&Surroundings>) -> Self {
        let (around, others) = prometheus_collector::gather(registry).unwrap_or_else(|panic| {
            tracing::warn!(
                target: "monitor_runtime::metrics",
                panic,
                "a collector of the registry panicked; metrics other than ours are left out"
            );
            (known.cloned(), known.map(of_the_process).unwrap_or_default())
        });
        let mut names = Names::new(around.as_ref());
        let mut families = readable(others, &mut names);
        let mut own = Vec::new();
        if let Some(around) = &around {
            own = read_cells();
            own.sort_by_key(|shown| shown.metric.name);
            families.extend(rarely_written(around));
            families.sort_by(|one, other| one.name().cmp(other.name()));
        }
        Self { around: around.unwrap_or_default(), own, families, names }
    }

    /// Every family, in `prometheus`' data model.
    #[cfg(feature = "otlp")]
    pub(crate) fn into_families(self) -> Vec<MetricFamily> {
        let own = self.own.iter().map(|shown| self.around.given(prometheus_collector::family(shown)));
        own.filter(|family| !family.get_metric().is_empty()).chain(self.families).collect()
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

/// Our own families that `prometheus`' own types keep, series sorted as a registry sorts them.
fn rarely_written(around: &Surroundings) -> impl Iterator<Item = MetricFamily> {
    let families = process::metrics().collectors().into_iter().flat_map(|collector| collector.collect());
    families.filter(|family| !family.get_metric().is_empty()).map(|mut family| {
        family.mut_metric().sort_by(|one, other| label_values(one).cmp(label_values(other)));
        around.given(family)
    })
}

fn label_values(metric: &Metric) -> impl Iterator<Item = &str> {
    metric.get_label().iter().map(LabelPair::value)
}

/// The standard metrics of the process, without a registry.
fn of_the_process(around: &Surroundings) -> Vec<MetricFamily> {
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
