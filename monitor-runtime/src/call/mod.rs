//! A tracked call, from its start to its single end.
//!
//! [`site`] is the static of an annotated function, and [`guard`] one call of it: `begin` counts the start, `settle`
//! the end. [`future`] carries a guard across polls. [`classify`] derives the outcome and the [`fault`] from the
//! result.

mod agent_number;
mod argument;
mod bounded;
mod boxed;
pub(crate) mod call_id;
mod classify;
mod client_call;
mod content;
mod enclosing_model;
mod ended_model;
mod error_dedup;
mod extras;
mod fault;
#[cfg(feature = "logging")]
pub(crate) mod foreign_call;
mod future;
mod guard;
mod in_place;
mod model_usage;
pub(crate) mod observer;
mod place;
mod record;
mod repeats;
mod reply;
mod returned;
mod settings;
mod site;
pub(crate) mod span_descriptor;
mod stream;
mod typed;

use crate::families::Outcome;
pub use argument::{Field, Id, debug, display, value};
#[cfg(feature = "runs")]
pub(crate) use bounded::bounded;
pub use boxed::{Rebox, hand_on_boxed, track_boxed_stream};
#[cfg(feature = "logging")]
pub(crate) use call_id::CallId;
pub use classify::{Classify, ClassifyBy, classify, error_if, ok_if};
pub use client_call::{OpenCall, call};
#[cfg(feature = "runs")]
pub(crate) use content::Content;
pub use content::{Contents, Recordable};
pub use fault::Fault;
pub use future::{PollAsCall, Tracked, track_pinned, track_returned_future};
pub use guard::{Call, of_model, settle, settle_by, track};
pub use in_place::{Begun, Guard, begin, guard};
pub(crate) use model_usage::ModelEnded;
#[cfg(feature = "logging")]
pub(crate) use place::Place;
pub use reply::{
    ContentOf, ModelReply, ReplyIn, Report, WholeValue, content, reply, reply_of_error, report, usage_by,
};
#[cfg(feature = "logging")]
pub(crate) use site::{is_agent, is_tracked};

pub use returned::{Returned, ViaBoxedFuture, ViaBoxedStream, ViaHandOn, ViaSettle, ViaValue, is_stream};

pub use record::{record, record_displayed_result, record_result};
pub use repeats::{Repeatable, Repeater, repeats};
pub use settings::{Budget, ErrorLog, Settings};
pub use site::{PendingSpan, Site, State, without_fields};
pub use typed::{Becoming, TypedTracked, track_into_future, track_typed_future, track_typed_stream};

pub use stream::{ItemJudge, TrackedStream, hand_on, hand_on_ok, track_opened, track_stream};

/// The result of a call: its outcome, and its error if there is one to log.
#[derive(Debug)]
pub struct Verdict<'r> {
    /// The outcome; the label `status` of the call.
    pub outcome: Outcome,
    /// The error, if the result holds one.
    pub fault: Option<Fault<'r>>,
}
