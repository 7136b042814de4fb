//! The prefix and the labels that a registry adds to each gathered metric.

use prometheus::proto::{LabelPair, MetricFamily};

use crate::cells::labels::escape_into;

/// The name of the family that marks our metrics in a gathered registry.
pub(crate) const MARKER: &str = "monitor_is_registered_here";

/// The prefix and the constant labels of a registry; both are empty for most registries.
#[derive(Clone, Debug, Default)]
pub(crate) struct RegistryLabels {
    /// Ends with `_`, unless it is empty.
    pub(crate) prefix: String,
    pub(crate) labels: Vec<(String, String)>,
    /// The labels as `name="value",name="value"`.
    pub(crate) text: String,
}

impl RegistryLabels {
    /// Removes the marker family from `families` and reads the registry's prefix and labels off it, since a registry
    /// has no method for them. Returns `None` if our metrics are not in the registry.
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

    /// Adds the prefix and the labels to a family, as the registry would.
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
