//! Reads an attribute's arguments and its item as written.
//!
//! Nothing here knows how a function is tracked. A wrong argument is noted at its token. An item that does not parse is kept as
//! tokens, so that it can be given back.

mod arguments;
pub(crate) mod budget;
mod duration;
mod entry;
pub(crate) mod field;
pub(crate) mod function;
pub(crate) mod grammar;
pub(crate) mod impl_block;
pub(crate) mod item;
pub(crate) mod keyword;
pub(crate) mod objective;
pub(crate) mod options;
pub(crate) mod record;
mod self_type;
mod slot;
pub(crate) mod track_attribute;
