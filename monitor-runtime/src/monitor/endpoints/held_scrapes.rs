//! Scrapes that their clients have not taken yet.

use std::collections::{HashSet, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::rarely::Rarely;

/// How much of a scrape a server is given at once, copied, so that nothing else keeps the rest of it in memory. hyper buffers 16
/// parts for a client that does not read.
const PART: usize = 16 * 1_024;

/// How many renderings are held for their clients at once. Scrapes at the same time share one.
const MOST: usize = 4;

/// The scrapes of the process that are held, oldest first.
static HELD: Mutex<VecDeque<Weak<Slot>>> = Mutex::new(VecDeque::new());

/// A rendering for one client, until it has been taken or has to make room.
type Slot = Mutex<Option<Bytes>>;

/// The body of an answer with this rendering. If clients are slow to take theirs, those that were asked for longest ago are
/// cut.
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

/// Cuts the oldest until no more renderings are held than may be, this one included.
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
    /// What has been given to the server.
    at: usize,
    length: usize,
}

/// Why an answer ends before its end.
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
