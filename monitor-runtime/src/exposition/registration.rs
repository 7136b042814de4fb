//! How our metrics get into a registry, and why one may be refused.

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

/// Why our metrics are not put into a registry.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It has one of their names.
    Name(prometheus::Error),
    /// It gives all metrics a label that one of ours has already.
    Label { label: String, metric: &'static str },
    /// It gives all metrics a prefix or a label that no scraper reads.
    Unreadable { what: &'static str, name: String },
    /// One of its collectors panicked.
    Panic(String),
}

/// Registers ours unless they are there already, and gives what the registry adds to them.
///
/// # Errors
///
/// When a scrape of the registry could not be read; it is then as it was.
pub(crate) fn join(registry: &Registry) -> Result<RegistryLabels, Refusal> {
    // Two who join the same registry would each find that ours are missing.
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

/// What a registry adds to metrics, read off one that is registered for as long as that takes.
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
    // Sorted, so that the same registry is always refused for the same label.
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

/// Every metric that this build of ours has.
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

/// Registers all of ours, or none when the registry refuses one.
pub(crate) fn register_all(registry: &Registry) -> Result<(), prometheus::Error> {
    if let Err(error) = registry.register(Box::new(OwnCollector::new()?)) {
        let refused = first_refused(registry).unwrap_or_default();
        return Err(prometheus::Error::Msg(format!("{refused}: {error}")));
    }
    register_process_collector(registry);
    Ok(())
}

/// The first metric that a registry refuses, found by registering each alone: a registry does not name it.
fn first_refused(registry: &Registry) -> Option<String> {
    let own = OwnCollector::new().ok()?;
    let refused = own.desc().into_iter().find(|desc| {
        let alone = || Box::new(Described((*desc).clone()));
        let registered = registry.register(alone());
        registered.and_then(|()| registry.unregister(alone())).is_err()
    });
    refused.map(|desc| desc.fq_name.clone())
}

/// The standard `process_*` metrics; a registry that has them keeps its own.
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
