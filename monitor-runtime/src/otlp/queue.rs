//! A bounded queue of spans for the exporting thread. Producers never wait.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opentelemetry_proto::tonic::trace::v1::Span;
use prometheus::IntCounter;

use super::control::Control;

/// A queue with one consumer and any number of producers.
#[derive(Debug)]
pub(super) struct SpanQueue {
    state: Mutex<State>,
    capacity: usize,
    /// The number of spans sent in one request.
    batch: usize,
    control: Arc<Control>,
    /// `otlp_dropped_total` of traces.
    dropped: IntCounter,
}

#[derive(Debug, Default)]
struct State {
    spans: Vec<Span>,
    is_closed: bool,
}

impl SpanQueue {
    pub(super) fn new(capacity: usize, batch: usize, control: Arc<Control>, dropped: IntCounter) -> Self {
        Self { state: Mutex::default(), capacity, batch, control, dropped }
    }

    /// Queues a span, or counts it as dropped if the queue is full.
    pub(super) fn push(&self, span: Span) {
        let mut state = self.lock();
        if state.is_closed || state.spans.len() >= self.capacity {
            drop(state);
            return self.dropped.inc();
        }
        state.spans.push(span);
        let is_full = state.spans.len() == self.batch;
        drop(state);
        if is_full {
            self.control.hurry();
        }
    }

    /// The number of queued spans.
    pub(super) fn len(&self) -> usize {
        self.lock().spans.len()
    }

    /// Takes the oldest spans, at most one batch.
    pub(super) fn take(&self) -> Vec<Span> {
        let mut state = self.lock();
        let most = state.spans.len().min(self.batch);
        let rest = state.spans.split_off(most);
        std::mem::replace(&mut state.spans, rest)
    }

    /// Whether the queue holds at least a batch.
    pub(super) fn has_batch(&self) -> bool {
        self.len() >= self.batch
    }

    /// Drops all queued spans, and every later one.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        self.dropped.inc_by(std::mem::take(&mut state.spans).len() as u64);
    }

    /// No user code runs under the lock, so a poisoned state is still consistent.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
