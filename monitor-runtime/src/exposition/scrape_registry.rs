//! A registry with our metrics, and the expositions rendered from it.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use prometheus::Registry;
use prometheus::proto::MetricFamily;

use crate::exposition::contents::Contents;
use crate::exposition::format::Format;
use crate::exposition::open_metrics;
use crate::exposition::prometheus_collector;
use crate::exposition::protobuf;
use crate::exposition::registration;
use crate::exposition::registry_labels::RegistryLabels;
use crate::exposition::text;
use crate::families::snapshot::MetricSnapshot;

/// A `prometheus::Registry` that may hold our collectors beside the user's.
#[derive(Clone, Debug)]
pub(crate) struct ScrapeRegistry {
    registry: Registry,
    /// The prefix and labels that the registry adds, if our metrics are known to be in it.
    known: Option<RegistryLabels>,
    #[cfg(feature = "health")]
    scrapes: std::sync::Arc<crate::exposition::scrapes::Scrapes>,
}

impl ScrapeRegistry {
    /// The default registry of the process.
    pub(crate) fn process() -> &'static Self {
        static PROCESS: LazyLock<ScrapeRegistry> = LazyLock::new(|| {
            let registry = Registry::new();
            if let Err(error) = registration::register_all(&registry) {
                unreachable!("an empty registry refused the catalogue: {error}");
            }
            ScrapeRegistry::new(registry, Some(RegistryLabels::default()))
        });
        &PROCESS
    }

    fn new(registry: Registry, known: Option<RegistryLabels>) -> Self {
        Self {
            registry,
            known,
            #[cfg(feature = "health")]
            scrapes: std::sync::Arc::new(crate::exposition::scrapes::Scrapes::new()),
        }
    }

    /// Takes a user's registry, and registers our metrics unless they are registered.
    pub(crate) fn with(registry: Registry) -> Result<Self, registration::Refusal> {
        let around = registration::join(&registry)?;
        Ok(Self::new(registry, Some(around)))
    }

    /// Takes a registry as it is, with or without our metrics.
    #[cfg(feature = "otlp")]
    pub(crate) fn reading(registry: Registry) -> Self {
        let known = prometheus_collector::gather(&registry).ok().and_then(|(around, _)| around);
        Self::new(registry, known)
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Renders the registry in that format. Callers at the same time share one rendering.
    #[cfg(feature = "health")]
    pub(crate) fn scrape(&self, format: Format) -> bytes::Bytes {
        self.scrapes.share(format, || self.render_as(format))
    }

    /// The same, as a gzip stream.
    #[cfg(feature = "health")]
    pub(crate) fn scrape_compressed(&self, format: Format) -> bytes::Bytes {
        self.scrapes.share_compressed(format, || self.render_as(format))
    }

    fn render_as(&self, format: Format) -> Vec<u8> {
        match format {
            Format::Text => self.render(),
            Format::OpenMetrics => self.render_open_metrics(),
            Format::Protobuf => self.render_protobuf(),
        }
    }

    fn render_open_metrics(&self) -> Vec<u8> {
        let contents = self.read();
        let mut out = Vec::new();
        merge(&contents, |family| match family {
            Family::Own(shown) => open_metrics::write_own(&contents.names, &contents.around, shown, &mut out),
            Family::Gathered(family) => open_metrics::write_gathered(&contents.names, family, &mut out),
        });
        out.extend_from_slice(open_metrics::END);
        out
    }

    fn render_protobuf(&self) -> Vec<u8> {
        let contents = self.read();
        let mut out = Vec::new();
        merge(&contents, |family| match family {
            Family::Own(shown) => protobuf::write_own(&contents.around, shown, &mut out),
            Family::Gathered(family) => protobuf::write_gathered(family, &mut out),
        });
        out
    }

    /// Renders everything in the registry as text, families sorted by name.
    pub(crate) fn render(&self) -> Vec<u8> {
        // Starts with the size of the last rendering and a margin, since a growing buffer is copied.
        static LAST: AtomicUsize = AtomicUsize::new(0);
        let last = LAST.load(Ordering::Relaxed);
        let mut out = Vec::with_capacity(last + last / 16);
        let contents = self.read();
        merge(&contents, |family| match family {
            Family::Own(shown) if contents.around.is_empty() => text::write(shown, &mut out),
            Family::Own(shown) => {
                let family = contents.around.given(prometheus_collector::family(shown));
                if !family.get_metric().is_empty() {
                    text::write_gathered(&family, &mut out);
                }
            }
            Family::Gathered(family) => text::write_gathered(family, &mut out),
        });
        LAST.store(out.len(), Ordering::Relaxed);
        out
    }

    /// A snapshot of everything in the registry.
    pub(crate) fn read(&self) -> Contents {
        Contents::read(&self.registry, self.known.as_ref())
    }
}

/// A family, by its origin.
enum Family<'a> {
    Own(&'a MetricSnapshot),
    Gathered(&'a MetricFamily),
}

/// Passes all families to `write`, merged by name.
fn merge(contents: &Contents, mut write: impl FnMut(Family<'_>)) {
    let prefix = &contents.around.prefix;
    let is_before = |shown: &MetricSnapshot, other: &MetricFamily| {
        prefix.bytes().chain(shown.metric.name.bytes()).lt(other.name().bytes())
    };
    let mut own = contents.own.iter().peekable();
    for other in &contents.foreign {
        while let Some(shown) = own.next_if(|shown| is_before(shown, other)) {
            write(Family::Own(shown));
        }
        write(Family::Gathered(other));
    }
    for shown in own {
        write(Family::Own(shown));
    }
}
