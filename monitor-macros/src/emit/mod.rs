//! Emits the tokens that take the item's place.
//!
//! Emitted code is a guest in the user's function. Names that it makes up are `mixed_site`, paths are absolute, and tokens at which
//! the compiler may report an error have the span of the user's token that causes it. It makes one call into the runtime; generic
//! code belongs there, where it is compiled once and can be read.

mod body;
mod captures;
mod entry;
pub(crate) mod function;
mod hygiene;
pub(crate) mod impl_block;
mod lifetimes;
pub(crate) mod refusal;
mod verdict;
