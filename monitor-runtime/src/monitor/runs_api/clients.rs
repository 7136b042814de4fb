//! Those who follow the live page: a queue of events for each, and the bodies of their answers.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::Frame;

use crate::run::RunId;

/// The streams that are open at once, at most.
pub(super) const MOST: usize = 16;

/// The events that wait for a client, at most.
const QUEUE: usize = 64;

/// What a client may follow besides the parts of every answer and a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    Now,
    Runs,
    Logs,
    Health,
}

/// What a client follows.
#[derive(Debug, Default)]
pub(super) struct Topics {
    pub(super) list: Vec<Topic>,
    pub(super) run: Option<RunId>,
}

/// The open streams of a listener.
#[derive(Default)]
pub(super) struct Clients(Mutex<State>);

#[derive(Default)]
struct State {
    open: Vec<Arc<Client>>,
    /// Whether a task feeds them.
    is_fed: bool,
}

/// A client that came in.
pub(super) enum Came {
    /// Nobody feeds the clients: the caller has to begin.
    First(Events),
    Further(Events),
    /// There is no room.
    Not,
}

/// One client.
pub(super) struct Client {
    pub(super) topics: Topics,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Bytes>,
    /// Whether it has seen less than everything, as at its begin.
    is_behind: bool,
    is_over: bool,
    waker: Option<Waker>,
}

impl Clients {
    /// Lets a client in, whose first event is this one.
    pub(super) fn let_in(self: &Arc<Self>, topics: Topics, hello: Bytes) -> Came {
        let mut state = self.lock();
        if state.open.len() >= MOST {
            return Came::Not;
        }
        let queue = Queue { waiting: VecDeque::from([hello]), is_behind: true, ..Queue::default() };
        let client = Arc::new(Client { topics, queue: Mutex::new(queue) });
        state.open.push(Arc::clone(&client));
        let events = Events { client, clients: Arc::clone(self) };
        if std::mem::replace(&mut state.is_fed, true) { Came::Further(events) } else { Came::First(events) }
    }

    /// The clients to feed. If there are none, the caller has to end, since the next client begins anew.
    pub(super) fn to_feed(&self) -> Vec<Arc<Client>> {
        let mut state = self.lock();
        state.is_fed = !state.open.is_empty();
        state.open.clone()
    }

    /// The number of open streams.
    pub(super) fn count(&self) -> usize {
        self.lock().open.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Client {
    /// Whether it follows a topic.
    pub(super) fn follows(&self, topic: Topic) -> bool {
        self.topics.list.contains(&topic)
    }

    /// Whether the next event has to tell everything, which this call says it will.
    pub(super) fn catch_up(&self) -> bool {
        std::mem::take(&mut self.lock().is_behind)
    }

    /// Queues an event. If the queue is full, all that waits is dropped for the event that asks the page to read again.
    pub(super) fn send(&self, event: &Bytes) {
        let mut queue = self.lock();
        if queue.waiting.len() >= QUEUE {
            queue.waiting.clear();
            queue.waiting.push_back(Bytes::from_static(b"event: resync\ndata: {}\n\n"));
            queue.is_behind = true;
        } else {
            queue.waiting.push_back(event.clone());
        }
        queue.wake();
    }

    /// Ends the stream behind a last event, for which there is always room.
    pub(super) fn end(&self, bye: &Bytes) {
        let mut queue = self.lock();
        if queue.is_over {
            return;
        }
        queue.waiting.push_back(bye.clone());
        queue.is_over = true;
        queue.wake();
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// The events of a client, as the body of an answer. Dropping it lets the client go.
pub(super) struct Events {
    client: Arc<Client>,
    clients: Arc<Clients>,
}

impl Events {
    pub(super) fn client(&self) -> &Client {
        &self.client
    }
}

impl http_body::Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let mut queue = self.client.lock();
        if let Some(event) = queue.waiting.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(event))));
        }
        if queue.is_over {
            return Poll::Ready(None);
        }
        queue.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.clients.lock().open.retain(|client| !Arc::ptr_eq(client, &self.client));
    }
}

#[cfg(test)]
mod tests {
    use http_body::Body as _;

    use super::*;

    fn came(clients: &Arc<Clients>) -> Option<Events> {
        match clients.let_in(Topics::default(), Bytes::from_static(b"hello")) {
            Came::First(events) | Came::Further(events) => Some(events),
            Came::Not => None,
        }
    }

    fn next(events: &mut Events) -> Option<String> {
        match Pin::new(events).poll_frame(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Some(Ok(frame))) => {
                Some(String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap())
            }
            Poll::Ready(None) => Some("over".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn sixteen_clients_have_room_and_a_left_one_makes_room() {
        let clients = Arc::new(Clients::default());
        let mut open: Vec<_> = (0..MOST).map(|_| came(&clients).unwrap()).collect();
        assert!(came(&clients).is_none());
        open.pop();
        assert_eq!(clients.count(), MOST - 1);
        assert!(came(&clients).is_some());
    }

    #[test]
    fn the_first_client_begins_the_feed_and_an_empty_house_ends_it() {
        let clients = Arc::new(Clients::default());
        let let_in = || clients.let_in(Topics::default(), Bytes::new());
        let first = let_in();
        assert!(matches!(first, Came::First(_)) && matches!(let_in(), Came::Further(_)));
        assert_eq!(clients.to_feed().len(), 1);
        drop(first);
        assert!(clients.to_feed().is_empty());
        assert!(matches!(let_in(), Came::First(_)));
    }

    #[test]
    fn a_full_queue_is_dropped_for_a_resync() {
        let clients = Arc::new(Clients::default());
        let mut events = came(&clients).unwrap();
        assert!(events.client.catch_up() && !events.client.catch_up());
        for _ in 0..QUEUE {
            events.client.send(&Bytes::from_static(b"tick"));
        }
        assert_eq!(next(&mut events).as_deref(), Some("event: resync\ndata: {}\n\n"));
        assert_eq!(next(&mut events), None);
        assert!(events.client.catch_up(), "the next event tells everything");
        events.client.end(&Bytes::from_static(b"bye"));
        assert_eq!([next(&mut events), next(&mut events)], ["bye", "over"].map(|text| Some(text.to_owned())));
    }
}
