//! A registry with our metrics in it, and the text it gives.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{Encoder as _, Registry, TextEncoder};

use super::proto::{self, CellCollector};
use super::sink::Shown;
use super::{process, read_cells, text};

/// A `prometheus::Registry` that holds our collectors beside the user's.
#[derive(Clone, Debug)]
pub(crate) struct Exposed {
    registry: Registry,
    /// Only of our own registry do we know that it adds no prefix and no labels to what it gathers.
    is_ours: bool,
    #[cfg(feature = "health")]
    scrapes: std::sync::Arc<super::turns::Turns<bytes::Bytes>>,
}

impl Exposed {
    /// The process's own registry.
    pub(crate) fn process() -> &'static Self {
        static PROCESS: LazyLock<Exposed> = LazyLock::new(|| {
            let registry = Registry::new();
            if let Err(error) = register_all(&registry) {
                unreachable!("an empty registry refused the catalogue: {error}");
            }
            Exposed::new(registry, true)
        });
        &PROCESS
    }

    fn new(registry: Registry, is_ours: bool) -> Self {
        Self {
            registry,
            is_ours,
            #[cfg(feature = "health")]
            scrapes: std::sync::Arc::new(super::turns::Turns::new()),
        }
    }

    /// A user's registry, with ours registered into it unless they are there already.
    #[cfg(feature = "health")]
    pub(crate) fn with(registry: Registry) -> Result<Self, prometheus::Error> {
        if !proto::is_registered(&registry) {
            register_all(&registry)?;
        }
        Ok(Self::new(registry, false))
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// As [`render`](Self::render), shared by all who ask at the same time.
    #[cfg(feature = "health")]
    pub(crate) fn scrape(&self) -> bytes::Bytes {
        self.scrapes.share(|| self.render().into())
    }

    /// The text exposition of everything in the registry, families sorted by name.
    pub(crate) fn render(&self) -> Vec<u8> {
        // As much as the last time, and a little more: a text that grows is copied.
        static LAST: AtomicUsize = AtomicUsize::new(0);
        let last = LAST.load(Ordering::Relaxed);
        let mut out = Vec::with_capacity(last + last / 16);
        if self.is_ours {
            merge(read_cells(), proto::gather_others(&self.registry), &mut out);
        } else {
            encode(&self.registry.gather(), &mut out);
        }
        LAST.store(out.len(), Ordering::Relaxed);
        out
    }
}

/// Registers all of ours, or none when the registry refuses one.
fn register_all(registry: &Registry) -> Result<(), prometheus::Error> {
    let mut registered = Vec::new();
    for collector in collectors()? {
        let name = collector.desc().first().map(|desc| desc.fq_name.clone()).unwrap_or_default();
        if let Err(error) = registry.register(collector) {
            for ours in collectors()?.into_iter().filter(|ours| registered.contains(&first_name(&**ours))) {
                // Registered a moment ago under the same descriptors, so it is there.
                let _ = registry.unregister(ours);
            }
            return Err(prometheus::Error::Msg(format!("{name}: {error}")));
        }
        registered.push(name);
    }
    register_process_collector(registry);
    Ok(())
}

fn first_name(collector: &dyn Collector) -> String {
    collector.desc().first().map(|desc| desc.fq_name.clone()).unwrap_or_default()
}

fn collectors() -> Result<Vec<Box<dyn Collector>>, prometheus::Error> {
    let mut all = process::metrics().collectors();
    all.push(Box::new(CellCollector::new()?));
    Ok(all)
}

/// The standard `process_*` metrics; a registry that has them keeps its own.
fn register_process_collector(registry: &Registry) {
    #[cfg(target_os = "linux")]
    {
        let collector = prometheus::process_collector::ProcessCollector::for_self();
        let _ = registry.register(Box::new(collector));
    }
    #[cfg(not(target_os = "linux"))]
    let _ = registry;
}

/// Writes our families and the others by name.
fn merge(mut ours: Vec<Shown>, others: Vec<MetricFamily>, out: &mut Vec<u8>) {
    ours.sort_by_key(|shown| shown.metric.name);
    let mut ours = ours.iter().peekable();
    for other in others {
        while let Some(shown) = ours.next_if(|shown| shown.metric.name < other.name()) {
            text::write(shown, out);
        }
        encode(&[other], out);
    }
    for shown in ours {
        text::write(shown, out);
    }
}

/// Appends families that are not ours. A family that cannot be encoded is left out, whole, and said once a
/// scrape, so that one broken collector does not cost the others their metrics.
fn encode(families: &[MetricFamily], out: &mut Vec<u8>) {
    for family in families {
        let before = out.len();
        if let Err(error) = TextEncoder::new().encode(std::slice::from_ref(family), out) {
            out.truncate(before);
            tracing::warn!(target: "monitor_runtime::metrics", metric = family.name(), error = %error, "a metric family could not be encoded");
        }
    }
}
