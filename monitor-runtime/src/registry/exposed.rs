//! A registry with our metrics in it, and what it gives to whoever asks.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use prometheus::core::Collector;
use prometheus::proto::{MetricFamily, MetricType};
use prometheus::{Encoder as _, Registry, TextEncoder};

#[cfg(feature = "health")]
use super::format::Format;
#[cfg(feature = "health")]
use super::open_metrics;
use super::proto::{self, CellCollector};
#[cfg(feature = "health")]
use super::protobuf;
use super::sink::Shown;
#[cfg(feature = "health")]
use super::surroundings::Surroundings;
use super::{process, read_cells, text};

/// A `prometheus::Registry` that holds our collectors beside the user's.
#[derive(Clone, Debug)]
pub(crate) struct Exposed {
    registry: Registry,
    /// Only of our own registry do we know that it adds no prefix and no labels to what it gathers.
    is_ours: bool,
    #[cfg(feature = "health")]
    surroundings: Surroundings,
    #[cfg(feature = "health")]
    scrapes: std::sync::Arc<super::scrapes::Scrapes>,
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
            surroundings: Surroundings::default(),
            #[cfg(feature = "health")]
            scrapes: std::sync::Arc::new(super::scrapes::Scrapes::new()),
        }
    }

    /// A user's registry, with ours registered into it unless they are there already.
    #[cfg(feature = "health")]
    pub(crate) fn with(registry: Registry) -> Result<Self, prometheus::Error> {
        let there = Surroundings::of(&registry);
        if there.is_none() {
            register_all(&registry)?;
        }
        let surroundings = there.or_else(|| Surroundings::of(&registry)).unwrap_or_default();
        Ok(Self { surroundings, ..Self::new(registry, false) })
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Everything in the registry in that form, shared by all who ask for it at the same time.
    #[cfg(feature = "health")]
    pub(crate) fn scrape(&self, format: Format) -> bytes::Bytes {
        self.scrapes.share(format, || self.render_as(format))
    }

    /// The same, as a gzip stream.
    #[cfg(feature = "health")]
    pub(crate) fn scrape_compressed(&self, format: Format) -> bytes::Bytes {
        self.scrapes.share_compressed(format, || self.render_as(format))
    }

    #[cfg(feature = "health")]
    fn render_as(&self, format: Format) -> Vec<u8> {
        match format {
            Format::Text => self.render(),
            Format::OpenMetrics => self.render_open_metrics(),
            Format::Protobuf => self.render_protobuf(),
        }
    }

    #[cfg(feature = "health")]
    fn render_open_metrics(&self) -> Vec<u8> {
        let (own, gathered) = (sorted_cells(), proto::gather_others(&self.registry));
        let around = &self.surroundings;
        let own_names = own.iter().map(|shown| format!("{}{}", around.prefix, shown.metric.name).into());
        let all = own_names.chain(gathered.iter().map(|family| family.name().into()));
        let names = open_metrics::Names::new(all);
        let mut out = Vec::new();
        merge(&around.prefix, &own, &gathered, |family| match family {
            Family::Own(shown) => open_metrics::write_own(&names, around, shown, &mut out),
            Family::Gathered(family) => {
                or_said(family, &mut out, |out| open_metrics::write_gathered(&names, family, out));
            }
        });
        out.extend_from_slice(open_metrics::END);
        out
    }

    #[cfg(feature = "health")]
    fn render_protobuf(&self) -> Vec<u8> {
        let (own, gathered) = (sorted_cells(), proto::gather_others(&self.registry));
        let around = &self.surroundings;
        let mut out = Vec::new();
        merge(&around.prefix, &own, &gathered, |family| match family {
            Family::Own(shown) => protobuf::write_own(around, shown, &mut out),
            Family::Gathered(family) => {
                or_said(family, &mut out, |out| protobuf::write_gathered(family, out));
            }
        });
        out
    }

    /// The text exposition of everything in the registry, families sorted by name.
    pub(crate) fn render(&self) -> Vec<u8> {
        // As much as the last time, and a little more: a text that grows is copied.
        static LAST: AtomicUsize = AtomicUsize::new(0);
        let last = LAST.load(Ordering::Relaxed);
        let mut out = Vec::with_capacity(last + last / 16);
        let (own, gathered) = if self.is_ours {
            (sorted_cells(), proto::gather_others(&self.registry))
        } else {
            (Vec::new(), self.registry.gather())
        };
        merge("", &own, &gathered, |family| match family {
            Family::Own(shown) => text::write(shown, &mut out),
            Family::Gathered(family) => or_said(family, &mut out, |out| encode(family, out)),
        });
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

/// A family, by where it comes from.
enum Family<'a> {
    Own(&'a Shown),
    Gathered(&'a MetricFamily),
}

/// Our own families, by name.
fn sorted_cells() -> Vec<Shown> {
    let mut own = read_cells();
    own.sort_by_key(|shown| shown.metric.name);
    own
}

/// Has all families written by name; that of our own begins with `prefix`.
fn merge(prefix: &str, own: &[Shown], gathered: &[MetricFamily], mut write: impl FnMut(Family<'_>)) {
    let is_before = |shown: &Shown, other: &MetricFamily| {
        prefix.bytes().chain(shown.metric.name.bytes()).lt(other.name().bytes())
    };
    let mut own = own.iter().peekable();
    for other in gathered {
        while let Some(shown) = own.next_if(|shown| is_before(shown, other)) {
            write(Family::Own(shown));
        }
        write(Family::Gathered(other));
    }
    for shown in own {
        write(Family::Own(shown));
    }
}

/// Appends a family that is not ours. One that cannot be written is left out, whole, and said once a scrape, so that one
/// broken collector does not cost the others their metrics.
fn or_said(
    family: &MetricFamily,
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), prometheus::Error>,
) {
    let before = out.len();
    if let Err(error) = write(out) {
        out.truncate(before);
        tracing::warn!(target: "monitor_runtime::metrics", metric = family.name(), error = %error, "a metric family could not be encoded");
    }
}

fn encode(family: &MetricFamily, out: &mut Vec<u8>) -> Result<(), prometheus::Error> {
    // Its encoder would panic.
    if family.get_field_type() == MetricType::UNTYPED {
        return Err(prometheus::Error::Msg("untyped metrics have no encoding; make it a gauge".to_owned()));
    }
    TextEncoder::new().encode(std::slice::from_ref(family), out)
}
