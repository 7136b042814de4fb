//! The attribute and its item as written.

mod arguments;
pub(crate) mod field;
pub(crate) mod function;
pub(crate) mod grammar;
pub(crate) mod impl_block;
pub(crate) mod item;
pub(crate) mod keyword;
pub(crate) mod objective;
pub(crate) mod options;
mod self_type;
mod slot;
pub(crate) mod track_attribute;
