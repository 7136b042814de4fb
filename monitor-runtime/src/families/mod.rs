//! All metrics of the process, and the series that keep their numbers.
//!
//! The series of tracked calls and requests are in striped cells ([`calls`], [`requests`]); the others are `prometheus`
//! types ([`process`]).

pub(crate) mod agents;
pub(crate) mod call_series;
pub(crate) mod calls;
pub(crate) mod calls_snapshot;
pub(crate) mod catalog;
pub(crate) mod counters;
pub(crate) mod errors;
pub(crate) mod family;
#[cfg(feature = "tonic")]
pub(crate) mod grpc;
pub(crate) mod health;
pub(crate) mod in_flight;
pub(crate) mod method;
pub(crate) mod models;
pub(crate) mod objective;
pub(crate) mod outcome;
#[cfg(target_os = "linux")]
pub(crate) mod own_process;
#[cfg(feature = "health")]
pub(crate) mod pools;
pub(crate) mod process;
pub(crate) mod prometheus_value;
#[cfg(feature = "runs")]
pub(crate) mod readings;
pub(crate) mod requests;
pub(crate) mod runs;
pub(crate) mod settings;
pub(crate) mod snapshot;

pub use calls::CallKind;
pub use outcome::Outcome;
#[cfg(feature = "health")]
pub use pools::PoolState;

use snapshot::MetricSnapshot;

/// Takes a snapshot of all our metrics, sorted by name. Every exposition format encodes this snapshot.
pub(crate) fn read() -> Vec<MetricSnapshot> {
    let calls = CallKind::ALL.iter().flat_map(|kind| kind.family().read());
    let calls = calls.chain(models::read()).chain(runs::read());
    #[cfg(feature = "http")]
    let calls = calls.chain(requests::metrics().read());
    #[cfg(feature = "tonic")]
    let calls = calls.chain(grpc::metrics().read());
    #[cfg(feature = "health")]
    let calls = calls.chain(health::read());
    #[cfg(feature = "health")]
    let calls = calls.chain(pools::read());
    let mut all: Vec<_> = calls.chain(process::metrics().read()).collect();
    all.sort_by_key(|shown| shown.metric.name);
    all
}
