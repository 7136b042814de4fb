//! One tracked call from its start to its one end.
//!
//! [`site`] is what an annotated function has for life, [`guard`] what one call of it has: `begin` counts the
//! start, `settle` the end. [`future`] carries a guard across polls, [`outcome`] and [`fault`] read the result.

mod argument;
mod fault;
mod future;
mod guard;
mod lineage;
mod outcome;
mod promised;
mod returned;
mod site;
mod stream;

pub use argument::{Field, Id, debug, display, value};
pub use fault::{Fault, ViaAny, ViaAsError, ViaAsSendError, ViaAsSyncError, ViaDebug, ViaDisplay, ViaError};
pub use future::{Judged, Tracked, track_future, track_returned_future};
pub use guard::{Begun, Call, Guard, begin, guard, track};
#[cfg(all(feature = "logging", feature = "health"))]
pub(crate) use lineage::CallId;
pub use outcome::{
    Classify, Outcome, Probe, ViaClassify, ViaClassifyOk, ViaResult, ViaReturn, error_if, ok_if,
};
pub use promised::{Promised, track_promised_future, track_promised_stream};
pub use returned::{Returned, ViaBoxedFuture, ViaBoxedStream, ViaHandOn, ViaSettle, ViaValue, is_stream};
pub use site::{ErrorLog, Opening, Site, without_fields};

pub use stream::{
    HandOn, ItemJudge, Rebox, TrackedStream, hand_on, hand_on_boxed, hand_on_ok, track_boxed_stream,
    track_stream, track_until_stream,
};

/// What a call came to: its outcome, and its error when there is one to log.
#[derive(Debug)]
pub struct Verdict<'r> {
    /// The `status` it is counted under.
    pub outcome: Outcome,
    /// What went wrong, if the result says.
    pub fault: Option<Fault<'r>>,
}
