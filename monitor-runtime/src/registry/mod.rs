//! Every number of the process and its way out.
//!
//! What tracked calls and requests write often is kept in striped cells ([`calls`], [`http`]); what is written
//! rarely is kept in `prometheus`' own types ([`process`]). Both leave by one collector list and one renderer.

mod buckets;
mod call_readings;
mod calls;
mod contents;
#[cfg(feature = "health")]
pub(crate) mod exemplars;
mod exposed;
mod family;
#[cfg(feature = "health")]
mod fine;
#[cfg(feature = "health")]
mod format;
pub(crate) mod gathered;
#[cfg(feature = "health")]
pub(crate) mod health;
mod histogram;
#[cfg(feature = "http")]
pub(crate) mod http;
#[cfg(feature = "http")]
mod in_flight;
mod index;
mod labels;
mod lines;
mod names;
#[cfg(feature = "health")]
mod native;
mod number;
mod objective;
#[cfg(feature = "health")]
mod open_metrics;
#[cfg(target_os = "linux")]
mod own_process;
#[cfg(feature = "sqlx")]
pub(crate) mod pools;
pub(crate) mod process;
mod promise;
mod proto;
#[cfg(feature = "health")]
mod protobuf;
mod reading;
mod registration;
#[cfg(feature = "health")]
mod scrapes;
mod shard;
mod sink;
mod surroundings;
mod text;
#[cfg(feature = "health")]
mod turns;

#[cfg(feature = "health")]
pub use buckets::BucketError;
pub use calls::CallKind;
pub(crate) use calls::CallSeries;
pub(crate) use exposed::Exposed;
pub(crate) use family::Found;
#[cfg(feature = "health")]
pub(crate) use family::set_limit as set_series_limit;
#[cfg(feature = "health")]
pub(crate) use format::Format;
#[cfg(feature = "http")]
pub(crate) use in_flight::InFlight;
#[cfg(feature = "__fuzzing")]
pub(crate) use labels::Labels;
#[cfg(feature = "health")]
pub use native::{NativeHistogramError, NativeHistograms};
pub use promise::{Latency, Objective, Share};
#[cfg(feature = "health")]
pub(crate) use registration::Refusal;

use sink::Shown;

/// A family whose buckets can be set.
#[cfg(feature = "health")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FamilyName {
    Agents,
    Skills,
    Queries,
    #[cfg(feature = "http")]
    Http,
}

/// Sets a family's bucket bounds, in seconds, before its first series is made.
#[cfg(feature = "health")]
pub(crate) fn set_buckets(family: FamilyName, seconds: &[f64]) -> Result<(), BucketError> {
    match family {
        FamilyName::Agents => CallKind::Agent.family().series.set_buckets(seconds),
        FamilyName::Skills => CallKind::Skill.family().series.set_buckets(seconds),
        FamilyName::Queries => CallKind::Query.family().series.set_buckets(seconds),
        #[cfg(feature = "http")]
        FamilyName::Http => http::metrics().durations.set_buckets(seconds),
    }
}

/// Has every family keep native histograms, from its first series on; all of them, or none.
#[cfg(feature = "health")]
pub(crate) fn keep_native(settings: NativeHistograms) -> Result<(), NativeHistogramError> {
    let calls = || CallKind::ALL.into_iter().map(|kind| &kind.family().series);
    calls().try_for_each(|family| family.check_native(settings))?;
    #[cfg(feature = "http")]
    http::metrics().durations.check_native(settings)?;
    calls().try_for_each(|family| family.keep_native(settings))?;
    #[cfg(feature = "http")]
    http::metrics().durations.keep_native(settings)?;
    Ok(())
}

/// Reads every family kept in cells.
fn read_cells() -> Vec<Shown> {
    let calls = CallKind::ALL.iter().flat_map(|kind| kind.family().read());
    #[cfg(feature = "http")]
    let calls = calls.chain(http::metrics().read());
    #[cfg(feature = "health")]
    let calls = calls.chain(health::read());
    #[cfg(feature = "sqlx")]
    let calls = calls.chain(pools::read());
    calls.collect()
}
