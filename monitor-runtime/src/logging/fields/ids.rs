//! Ids of one length, which every span has anew: written over those that came from the span around.
#![cfg(feature = "otlp")]

use super::Fields;

impl Fields {
    /// Writes `value` over that of the field, if there is one and its value is as long; says whether it did.
    pub(in crate::logging) fn overwrite(&mut self, key: &[u8], value: &[u8]) -> bool {
        let mut start = 0;
        let at = self.ends.iter().find_map(|ends| {
            let own = std::mem::replace(&mut start, ends.field) + 2..ends.key;
            (self.bytes[own] == *key && ends.field - ends.key == value.len() + 2).then_some(ends.key + 2)
        });
        at.map(|at| self.bytes[at..at + value.len()].copy_from_slice(value)).is_some()
    }
}
