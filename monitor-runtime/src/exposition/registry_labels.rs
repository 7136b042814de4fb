//! What a registry adds to each metric that is gathered from it.

use prometheus::proto::{LabelPair, MetricFamily};

use crate::cells::labels::escape_into;

/// The name of the family that tells of a registry.
pub(crate) const MARKER: &str = "monitor_is_registered_here";

/// A registry's prefix and the labels it gives to all metrics; none, for most.
#[derive(Clone, Debug, Default)]
pub(crate) struct RegistryLabels {
    /// With the `_` that ends it.
    pub(crate) prefix: String,
    pub(crate) labels: Vec<(String, String)>,
    /// `name="value",name="value"`
    pub(crate) text: String,
}

impl RegistryLabels {
    /// Takes the family that marks our metrics out of `families`. A registry does not tell of itself, so its prefix and its
    /// labels are read off that family; `None` where our metrics are not in it.
    pub(crate) fn take_from(families: &mut Vec<MetricFamily>) -> Option<Self> {
        let at = families.iter().position(|family| family.name().ends_with(MARKER))?;
        let family = families.remove(at);
        let labels = family.get_metric().first().map_or(&[][..], |metric| metric.get_label());
        let labels: Vec<_> =
            labels.iter().map(|pair| (pair.name().to_owned(), pair.value().to_owned())).collect();
        Some(Self {
            prefix: family.name().strip_suffix(MARKER).unwrap_or_default().to_owned(),
            text: written(&labels),
            labels,
        })
    }

    /// Whether the registry adds nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.prefix.is_empty() && self.labels.is_empty()
    }

    /// A family with what the registry would add to it.
    pub(crate) fn given(&self, mut family: MetricFamily) -> MetricFamily {
        if !self.prefix.is_empty() {
            family.set_name(format!("{}{}", self.prefix, family.name()));
        }
        if !self.labels.is_empty() {
            for metric in family.mut_metric().iter_mut() {
                let mut labels: Vec<LabelPair> = metric.take_label();
                labels.extend(self.labels.iter().map(|(name, value)| pair((name, value))));
                metric.set_label(labels);
            }
        }
        family
    }
}

fn written(labels: &[(String, String)]) -> String {
    let texts = labels.iter().map(|(name, value)| {
        let mut text = format!("{name}=\"");
        escape_into(&mut text, value);
        text + "\""
    });
    texts.collect::<Vec<_>>().join(",")
}

pub(crate) fn pair((name, value): (&str, &str)) -> LabelPair {
    let mut pair = LabelPair::default();
    pair.set_name(name.to_owned());
    pair.set_value(value.to_owned());
    pair
}
