//! The live page: the files that a browser loads, and the headers that keep it from running anything else.

mod assets;

pub(crate) use assets::{ROOT, asset, page, secure};
