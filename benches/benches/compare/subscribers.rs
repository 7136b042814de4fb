//! The JSON peers, each set up by its own documentation, with a writer that costs almost nothing.

use tracing::Subscriber;
use tracing_bunyan_formatter::{BunyanFormattingLayer, JsonStorageLayer};
use tracing_subscriber::Registry;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;

/// `tracing-subscriber`'s own formatter; it writes from the level `info` on, as ours does.
pub(crate) fn tracing_json<W>(writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    tracing_subscriber::fmt().json().with_writer(writer).finish()
}

/// The drop-in replacement of it.
pub(crate) fn json_subscriber<W>(writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    json_subscriber::fmt().with_writer(writer).finish()
}

/// Which has no filter of its own.
pub(crate) fn bunyan<W>(writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    Registry::default().with(JsonStorageLayer).with(BunyanFormattingLayer::new("compare".to_owned(), writer))
}
