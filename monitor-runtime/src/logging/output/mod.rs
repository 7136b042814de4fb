//! Output: from an event to a queue, and from there to a sink by a thread.

pub(super) mod guard;
pub(super) mod pipeline;
pub(super) mod queue;
pub(super) mod rate_limit;
pub(super) mod sink;
pub(super) mod writer;
