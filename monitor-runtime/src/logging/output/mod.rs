//! The way of lines out of the process: from an event to a queue, and by a thread to the sink.

pub(super) mod guard;
pub(super) mod pipeline;
pub(super) mod queue;
pub(super) mod rate_limit;
pub(super) mod sink;
pub(super) mod writer;
