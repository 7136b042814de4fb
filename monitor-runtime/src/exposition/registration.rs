//! Registers our metrics in a registry, or says why that is impossible.

use std::collections::HashSet;
use std::sync::LazyLock;
use std::sync::{Mutex, PoisonError};

use prometheus::Registry;
use prometheus::core::Collector;

use crate::exposition::foreign::{is_label_name, is_metric_name};
use crate::exposition::prometheus_collector::{self, MarkerCollector};
use crate::exposition::prometheus_collector::{Described, OwnCollector};
use crate::exposition::registry_labels::RegistryLabels;
use crate::families::catalog::Kind;
use crate::families::catalog::{self, Metric};

/// Why our metrics cannot be registered.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The registry already has a metric of that name.
    Name(prometheus::Error),
    /// The registry adds a label that one of our metrics already has.
    Label { label: String, metric: &'static str },
    /// The registry adds a prefix or a label that no scraper accepts.
    Unreadable { what: &'static str, name: String },
    /// A collector of the registry panicked.
    Panic(String),
}

/// Registers our metrics unless they are registered, and returns what the registry adds to them.
///
/// # Errors
///
/// Fails if a scrape of the registry could not be read, or if it refuses a name. The registry is then unchanged.
pub(crate) fn join(registry: &Registry) -> Result<RegistryLabels, Refusal> {
    // Two threads that join the same registry would both find our metrics missing.
    static JOINING: Mutex<()> = Mutex::new(());
    let _alone = JOINING.lock().unwrap_or_else(PoisonError::into_inner);
    let there = gather(registry)?;
    let is_there = there.is_some();
    let around = match there {
        Some(around) => around,
        None => probe(registry)?,
    };
    check(&around)?;
    if !is_there {
        register_all(registry).map_err(Refusal::Name)?;
    }
    Ok(around)
}

fn gather(registry: &Registry) -> Result<Option<RegistryLabels>, Refusal> {
    prometheus_collector::gather(registry).map(|(around, _)| around).map_err(Refusal::Panic)
}

/// The prefix and labels of a registry, read off a marker that is registered only for this read.
fn probe(registry: &Registry) -> Result<RegistryLabels, Refusal> {
    let marker = || MarkerCollector::new().map_err(Refusal::Name).map(Box::new);
    registry.register(marker()?).map_err(Refusal::Name)?;
    let around = gather(registry);
    registry.unregister(marker()?).map_err(Refusal::Name)?;
    Ok(around?.unwrap_or_default())
}

fn check(around: &RegistryLabels) -> Result<(), Refusal> {
    let unreadable = |what, name: &str| Err(Refusal::Unreadable { what, name: name.to_owned() });
    if let Some(prefix) = around.prefix.strip_suffix('_').filter(|prefix| !is_metric_name(prefix)) {
        return unreadable("prefix", prefix);
    }
    // Sorted, so that a registry is refused for the same label each time.
    let mut labels: Vec<_> = around.labels.iter().map(|(name, _)| name.as_str()).collect();
    labels.sort_unstable();
    for label in labels {
        if !is_label_name(label) {
            return unreadable("label", label);
        }
        let has_it =
            |ours: &&&Metric| ours.labels.contains(&label) || ours.kind == Kind::Histogram && label == "le";
        if let Some(ours) = own_metrics().iter().find(has_it) {
            return Err(Refusal::Label { label: label.to_owned(), metric: ours.name });
        }
    }
    Ok(())
}

/// All metrics of this build, which depend on its features.
pub(crate) fn own_metrics() -> &'static [&'static Metric] {
    static OWN: LazyLock<Vec<&'static Metric>> = LazyLock::new(|| {
        let collector = OwnCollector::new();
        let names: HashSet<_> = collector
            .iter()
            .flat_map(|collector| collector.desc())
            .map(|desc| desc.fq_name.as_str())
            .collect();
        catalog::ALL.iter().copied().filter(|metric| names.contains(metric.name)).collect()
    });
    &OWN
}

/// Registers all of our metrics, or none if the registry refuses one.
pub(crate) fn register_all(registry: &Registry) -> Result<(), prometheus::Error> {
    if let Err(error) = registry.register(Box::new(OwnCollector::new()?)) {
        let refused = first_refused(registry).unwrap_or_default();
        return Err(prometheus::Error::Msg(format!("{refused}: {error}")));
    }
    register_process_collector(registry);
    Ok(())
}

/// The first metric that a registry refuses. The registry's error does not name it, so each metric is registered alone.
fn first_refused(registry: &Registry) -> Option<String> {
    let own = OwnCollector::new().ok()?;
    let refused = own.desc().into_iter().find(|desc| {
        let alone = || Box::new(Described((*desc).clone()));
        let registered = registry.register(alone());
        registered.and_then(|()| registry.unregister(alone())).is_err()
    });
    refused.map(|desc| desc.fq_name.clone())
}

/// Registers the standard `process_*` metrics; a registry that already has them keeps its own.
fn register_process_collector(registry: &Registry) {
    #[cfg(target_os = "linux")]
    {
        if let Some(collector) = crate::families::own_process::collector() {
            let _ = registry.register(Box::new(collector));
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = registry;
}
