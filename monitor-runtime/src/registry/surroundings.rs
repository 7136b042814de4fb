//! What a registry adds to each metric that is gathered from it.

use prometheus::Registry;
use prometheus::proto::MetricFamily;

use super::labels::escape_into;
use super::proto;

/// A registry's prefix and the labels it gives to all metrics; none, for most.
#[derive(Clone, Debug, Default)]
pub(super) struct Surroundings {
    /// With the `_` that ends it.
    pub(super) prefix: String,
    pub(super) labels: Vec<(String, String)>,
    /// `name="value",name="value"`
    pub(super) text: String,
}

impl Surroundings {
    /// Those of a registry that our metrics are in; `None` where they are not. A registry does not tell of itself, so they are
    /// read off a family that it is given.
    pub(super) fn of(registry: &Registry) -> Option<Self> {
        let mut marked = proto::gather_marker(registry).into_iter();
        let (prefix, family) = marked.find_map(|family| Some((prefix(&family)?, family)))?;
        let labels =
            family.get_metric().first().map(prometheus::proto::Metric::get_label).unwrap_or_default();
        let labels: Vec<_> =
            labels.iter().map(|pair| (pair.name().to_owned(), pair.value().to_owned())).collect();
        let text = labels.iter().map(|(name, value)| {
            let mut text = format!("{name}=\"");
            escape_into(&mut text, value);
            text + "\""
        });
        Some(Self { prefix, text: text.collect::<Vec<_>>().join(","), labels })
    }
}

fn prefix(family: &MetricFamily) -> Option<String> {
    family.name().strip_suffix(proto::MARKER).map(str::to_owned)
}
