//! Limits the memory of scrapes that slow clients have not taken yet.

use std::collections::{HashSet, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::rarely::Rarely;

/// The size of the parts that a server gets, each a copy, so that no part keeps the whole rendering in memory. hyper
/// buffers 16 parts for a client that does not read.
const PART: usize = 16 * 1_024;

/// The maximum number of renderings kept for clients at once. Concurrent scrapes share one.
const MOST: usize = 4;

/// The scrapes of the process that are being taken, the oldest first.
static HELD: Mutex<VecDeque<Weak<Slot>>> = Mutex::new(VecDeque::new());

/// A rendering for one client, until the client has taken it or it is cut.
type Slot = Mutex<Option<Bytes>>;

/// The body of a scrape's answer. If too many clients are slow, the oldest scrapes are cut.
pub(super) fn body(rendering: Bytes) -> Body {
    if rendering.len() <= PART {
        return Body::from(rendering);
    }
    let length = rendering.len();
    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    held.retain(|slot| slot.upgrade().is_some_and(|slot| take(&slot, |rendering| rendering.is_some())));
    make_room(&mut held, &rendering);
    let slot = Arc::new(Mutex::new(Some(rendering)));
    held.push_back(Arc::downgrade(&slot));
    Body::new(Held { slot, at: 0, length })
}

/// Cuts the oldest scrapes until the number of renderings, including this one, is within the limit.
fn make_room(held: &mut VecDeque<Weak<Slot>>, rendering: &Bytes) {
    static SAID: Rarely = Rarely::new();
    let place = |slot: &Slot| take(slot, |held| held.as_ref().map(|held| held.as_ptr() as usize));
    let mut places: HashSet<_> = held.iter().filter_map(|slot| place(&*slot.upgrade()?)).collect();
    places.insert(rendering.as_ptr() as usize);
    while places.len() > MOST {
        let Some(oldest) = held.front().and_then(Weak::upgrade) else { return };
        let oldest = place(&oldest);
        held.retain(|slot| {
            let Some(slot) = slot.upgrade() else { return false };
            let goes = place(&slot) == oldest;
            if goes {
                take(&slot, Option::take);
                if let Some(count) = SAID.count() {
                    tracing::warn!(target: "monitor_runtime::metrics", most = MOST, count, "scrapes cut: their clients have not taken them, and newer ones came");
                }
            }
            !goes
        });
        oldest.map(|oldest| places.remove(&oldest));
    }
}

fn take<T>(slot: &Slot, read: impl FnOnce(&mut Option<Bytes>) -> T) -> T {
    read(&mut slot.lock().unwrap_or_else(PoisonError::into_inner))
}

struct Held {
    slot: Arc<Slot>,
    /// The number of bytes given to the server.
    at: usize,
    length: usize,
}

/// The error that ends a body early.
#[derive(Debug, thiserror::Error)]
#[error("the scrape was cut: its client had not taken it, and newer ones came")]
struct Cut;

impl HttpBody for Held {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let this = self.get_mut();
        if this.at == this.length {
            return Poll::Ready(None);
        }
        let end = (this.at + PART).min(this.length);
        let part = take(&this.slot, |held| {
            let part = Bytes::copy_from_slice(held.as_ref()?.get(this.at..end)?);
            if end == this.length {
                *held = None;
            }
            Some(part)
        });
        this.at = end;
        Poll::Ready(Some(part.map(Frame::data).ok_or(Cut)))
    }

    fn is_end_stream(&self) -> bool {
        self.at == self.length
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact((self.length - self.at) as u64)
    }
}
