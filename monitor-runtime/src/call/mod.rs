//! One tracked call from its start to its one end.
//!
//! [`site`] is what an annotated function has for life, [`guard`] what one call of it has: `begin` counts the
//! start, `settle` the end. [`future`] carries a guard across polls, [`outcome`] and [`fault`] read the result.

mod fault;
mod future;
mod guard;
mod outcome;
mod site;

pub use fault::{Fault, ViaAny, ViaAsError, ViaAsSyncError, ViaDebug, ViaDisplay, ViaError};
pub use future::{Tracked, track_future};
pub use guard::{Entry, track};
pub use outcome::{
    Classify, Outcome, Probe, ViaClassify, ViaClassifyOk, ViaResult, ViaReturn, error_if, ok_if,
};
pub use site::{ErrorLog, Opening, Site, without_fields};

/// What a call came to: its outcome, and its error when there is one to log.
#[derive(Debug)]
pub struct Verdict<'r> {
    /// The `status` it is counted under.
    pub outcome: Outcome,
    /// What went wrong, if the result says.
    pub fault: Option<Fault<'r>>,
}
