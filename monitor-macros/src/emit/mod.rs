//! From the model to the tokens that take the item's place.

mod body;
mod captures;
mod entry;
pub(crate) mod function;
pub(crate) mod impl_block;
mod lifetimes;
pub(crate) mod refusal;
mod verdict;
