//! Spans on their way to the exporting thread: a bounded queue that nobody waits for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opentelemetry_proto::tonic::trace::v1::Span;
use prometheus::IntCounter;

use super::control::Control;

/// A queue with one consumer and any number of producers.
#[derive(Debug)]
pub(super) struct SpanQueue {
    state: Mutex<State>,
    capacity: usize,
    /// So many are sent together.
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

    /// Adds a span, or counts it as dropped where there is no room.
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

    /// How many spans wait.
    pub(super) fn len(&self) -> usize {
        self.lock().spans.len()
    }

    /// Takes the oldest spans, a batch at most.
    pub(super) fn take(&self) -> Vec<Span> {
        let mut state = self.lock();
        let most = state.spans.len().min(self.batch);
        let rest = state.spans.split_off(most);
        std::mem::replace(&mut state.spans, rest)
    }

    /// Whether as many wait as are sent together.
    pub(super) fn has_batch(&self) -> bool {
        self.len() >= self.batch
    }

    /// Drops what waits and whatever comes.
    fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        self.dropped.inc_by(std::mem::take(&mut state.spans).len() as u64);
    }

    /// Has the queue closed when the guard is dropped, also by a panic: nothing may wait for a thread that is gone.
    pub(super) fn close_at_end(&self) -> Closing<'_> {
        Closing(self)
    }

    /// No code of a user's runs under the lock, so that it cannot be left half-way.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`SpanQueue::close_at_end`].
pub(super) struct Closing<'a>(&'a SpanQueue);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}
