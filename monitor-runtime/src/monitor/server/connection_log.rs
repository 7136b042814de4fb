//! Log lines about connections. They are rate-limited, since clients could cause any number of them.

use super::connection_state::CloseReason;
use super::limits::ConnectionLimits;
use crate::rarely::Rarely;

/// The logger of lines about the server and its end.
pub(in crate::monitor) const TARGET: &str = "monitor_runtime::serve";

/// The rate limits of one listener's lines.
#[derive(Debug)]
pub(super) struct ConnectionLog {
    listener: &'static str,
    limit: Rarely,
    descriptors: Rarely,
    cut: [Rarely; CloseReason::ALL.len()],
}

impl ConnectionLog {
    pub(super) fn new(listener: &'static str) -> Self {
        Self { listener, limit: Rarely::new(), descriptors: Rarely::new(), cut: Default::default() }
    }

    pub(super) fn refused_for_the_limit(&self, limit: usize) {
        let Some(count) = self.limit.count() else { return };
        let listener = self.listener;
        tracing::warn!(target: TARGET, listener, limit, count, "connections refused: the limit is reached and none is idle");
    }

    pub(super) fn no_descriptor(&self, error: &std::io::Error) {
        let Some(count) = self.descriptors.count() else { return };
        let listener = self.listener;
        tracing::error!(target: TARGET, listener, %error, count, "connections wait: they cannot be accepted");
    }

    pub(super) fn closed(&self, reason: CloseReason, limits: &ConnectionLimits) {
        let limit = match reason {
            CloseReason::Ended | CloseReason::Stopped | CloseReason::Idle => return,
            CloseReason::Head => Some(limits.head),
            CloseReason::Body => Some(limits.body),
            CloseReason::Write => Some(limits.write),
            CloseReason::MadeRoom => None,
        };
        let Some(count) = self.cut[reason as usize].count() else { return };
        let (listener, reason, limit) = (self.listener, reason.as_str(), limit.map(tracing::field::debug));
        tracing::warn!(target: TARGET, listener, reason, limit, count, "connections closed for their clients' silence");
    }
}
