//! Open spans, and the fields bound in each.

pub(super) mod registry;
pub(super) mod slab;
pub(super) mod span_fields;
pub(super) mod store;
