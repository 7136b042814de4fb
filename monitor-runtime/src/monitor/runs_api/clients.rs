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

/// The changes that wait for a client, at most.
const QUEUE: usize = 64;

/// The bytes of changes that may wait for a client before a further one, which may be of any size.
const QUEUE_BYTES: usize = 256 << 10;

/// The event that asks the page to read again.
const RESYNC: &str = "event: resync\ndata: {}\n\n";

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

/// What a client has been told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Standing {
    /// Nothing but its first events.
    #[default]
    New,
    /// Not everything, since it was too slow.
    Behind,
    /// Everything, by the events of this look.
    CatchesUp,
    Abreast,
}

impl Topics {
    /// Whether a client that was away has missed events which nobody tells it again. Of the runs that go on, and of the one
    /// that it watches, it is told everything.
    pub(super) fn miss_events(&self) -> bool {
        self.list.iter().any(|topic| *topic != Topic::Now)
    }
}

/// The open streams of a listener.
#[derive(Default)]
pub(super) struct Clients(Mutex<State>);

#[derive(Default)]
struct State {
    open: Vec<Arc<Client>>,
    /// Those who follow another instance through this process.
    guests: usize,
    /// Whether a task feeds them.
    is_fed: bool,
}

/// A client that came in.
pub(super) enum Came {
    /// Nobody feeds the clients: the caller has to begin.
    First(Events, Feeding),
    Further(Events),
    /// There is no room.
    Not,
}

/// One client.
pub(super) struct Client {
    pub(super) topics: Topics,
    queue: Mutex<Queue>,
}

/// The events that wait: in front those that tell everything, for which there is always room, behind them changes.
#[derive(Default)]
struct Queue {
    waiting: VecDeque<Bytes>,
    /// The number of events in front that tell everything.
    in_front: usize,
    /// The bytes of the changes.
    bytes: usize,
    standing: Standing,
    is_over: bool,
    waker: Option<Waker>,
}

impl Clients {
    /// Lets a client in, whose first events are these.
    pub(super) fn let_in(self: &Arc<Self>, topics: Topics, first: impl IntoIterator<Item = Bytes>) -> Came {
        let mut state = self.lock();
        if state.is_full() {
            return Came::Not;
        }
        let mut queue = Queue::default();
        first.into_iter().for_each(|event| queue.push_in_front(event));
        let client = Arc::new(Client { topics, queue: Mutex::new(queue) });
        state.open.push(Arc::clone(&client));
        let events = Events { client, clients: Arc::clone(self) };
        if std::mem::replace(&mut state.is_fed, true) {
            Came::Further(events)
        } else {
            Came::First(events, Feeding(Some(Arc::clone(self))))
        }
    }

    /// Lets a client in who follows another instance, so that nobody has to feed it; `None` if there is no room.
    pub(super) fn let_guest_in(self: &Arc<Self>) -> Option<Guest> {
        let mut state = self.lock();
        if state.is_full() {
            return None;
        }
        state.guests += 1;
        Some(Guest(Arc::clone(self)))
    }

    /// The number of open streams.
    pub(super) fn count(&self) -> usize {
        self.lock().count()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task that feeds the clients.
///
/// If it ends otherwise than for want of clients, by a panic or with its runtime, the streams end, so their pages come again,
/// and the next client begins another task.
pub(super) struct Feeding(Option<Arc<Clients>>);

impl Feeding {
    /// The clients to feed. If there are none, the caller has to end, since the next client begins anew.
    pub(super) fn clients(&mut self) -> Vec<Arc<Client>> {
        let Some(clients) = &self.0 else { return Vec::new() };
        let mut state = clients.lock();
        let open = state.open.clone();
        state.is_fed = !open.is_empty();
        drop(state);
        if open.is_empty() {
            self.0 = None;
        }
        open
    }
}

impl Drop for Feeding {
    fn drop(&mut self) {
        if let Some(clients) = self.0.take() {
            let mut state = clients.lock();
            state.is_fed = false;
            state.open.iter().for_each(|client| client.lock().end());
        }
    }
}

impl State {
    fn count(&self) -> usize {
        self.open.len() + self.guests
    }

    fn is_full(&self) -> bool {
        self.count() >= MOST
    }
}

/// The place of a client who follows another instance. Dropping it makes room.
pub(super) struct Guest(Arc<Clients>);

impl Drop for Guest {
    fn drop(&mut self) {
        self.0.lock().guests -= 1;
    }
}

impl Client {
    /// Whether it follows a topic.
    pub(super) fn follows(&self, topic: Topic) -> bool {
        self.topics.list.contains(&topic)
    }

    /// Whether the events until the next call have to tell everything, which this call says they will. A client that was
    /// too slow is told everything once it has taken what waits: else it would get all of it at each look.
    pub(super) fn catch_up(&self) -> bool {
        let mut queue = self.lock();
        queue.standing = match queue.standing {
            Standing::New => Standing::CatchesUp,
            Standing::Behind if queue.waiting.is_empty() => Standing::CatchesUp,
            Standing::Behind => Standing::Behind,
            Standing::CatchesUp | Standing::Abreast => Standing::Abreast,
        };
        queue.standing == Standing::CatchesUp
    }

    /// Queues an event, unless the client has to be told everything first. If there is no room for a change, all changes are
    /// dropped for the event that asks the page to read again. What tells everything stays, however much it is: else a page
    /// would never get a large run.
    pub(super) fn send(&self, event: &Bytes) {
        let mut queue = self.lock();
        match queue.standing {
            Standing::New | Standing::Behind => return,
            Standing::CatchesUp => queue.push_in_front(event.clone()),
            Standing::Abreast if queue.is_full() => {
                queue.drop_changes();
                queue.push(Bytes::from_static(RESYNC.as_bytes()));
                queue.standing = Standing::Behind;
            }
            Standing::Abreast => queue.push(event.clone()),
        }
        queue.wake();
    }

    /// Ends the stream behind a last event, for which there is always room.
    pub(super) fn end(&self, bye: &Bytes) {
        let mut queue = self.lock();
        if queue.is_over {
            return;
        }
        queue.push(bye.clone());
        queue.end();
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn push(&mut self, event: Bytes) {
        self.bytes += event.len();
        self.waiting.push_back(event);
    }

    /// Pushes an event before there are changes.
    fn push_in_front(&mut self, event: Bytes) {
        self.in_front += 1;
        self.waiting.push_back(event);
    }

    fn pop(&mut self) -> Option<Bytes> {
        let event = self.waiting.pop_front()?;
        match self.in_front.checked_sub(1) {
            Some(left) => self.in_front = left,
            None => self.bytes -= event.len(),
        }
        Some(event)
    }

    /// Whether there is no room for a change.
    fn is_full(&self) -> bool {
        self.waiting.len() - self.in_front >= QUEUE || self.bytes > QUEUE_BYTES
    }

    fn drop_changes(&mut self) {
        self.waiting.truncate(self.in_front);
        self.bytes = 0;
    }

    /// Ends the stream behind what waits.
    fn end(&mut self) {
        self.is_over = true;
        self.wake();
    }

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

impl http_body::Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let mut queue = self.client.lock();
        if let Some(event) = queue.pop() {
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

    /// A client and, of the first one, the task that feeds it.
    fn came(clients: &Arc<Clients>) -> Option<(Events, Option<Feeding>)> {
        match clients.let_in(Topics::default(), [Bytes::from_static(b"hello")]) {
            Came::First(events, feeding) => Some((events, Some(feeding))),
            Came::Further(events) => Some((events, None)),
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
        let guest = clients.let_guest_in().unwrap();
        assert!(clients.let_guest_in().is_none() && came(&clients).is_none());
        drop(guest);
        assert!(came(&clients).is_some());
    }

    #[test]
    fn the_first_client_begins_the_feed_and_an_empty_house_ends_it() {
        let clients = Arc::new(Clients::default());
        let (first, feeding) = came(&clients).unwrap();
        let mut feeding = feeding.unwrap();
        assert!(came(&clients).unwrap().1.is_none());
        assert_eq!(feeding.clients().len(), 1);
        drop(first);
        assert!(feeding.clients().is_empty());
        let (_second, again) = came(&clients).unwrap();
        // The end of the first feed takes nothing from the next.
        drop(feeding);
        assert!(again.is_some() && came(&clients).unwrap().1.is_none());
    }

    #[test]
    fn a_feed_that_panics_ends_the_streams_and_the_next_client_begins_another() {
        let clients = Arc::new(Clients::default());
        let (mut first, feeding) = came(&clients).unwrap();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _feeding = feeding;
            panic!("on purpose");
        }));
        assert!(panicked.is_err());
        assert_eq!([next(&mut first), next(&mut first)], ["hello", "over"].map(|text| Some(text.to_owned())));
        assert!(came(&clients).unwrap().1.is_some());
    }

    #[test]
    fn a_queue_is_bounded_by_bytes_and_the_client_catches_up_once_it_is_empty() {
        let clients = Arc::new(Clients::default());
        let (mut events, _feeding) = came(&clients).unwrap();
        assert!(events.client.catch_up(), "a new one is told everything at once");
        assert_eq!(next(&mut events).as_deref(), Some("hello"));
        assert!(!events.client.catch_up());
        let large = Bytes::from(vec![b'x'; QUEUE_BYTES + 1]);
        events.client.send(&large);
        assert_eq!(events.client.lock().waiting.len(), 1, "a single event may be of any size");
        events.client.send(&Bytes::from_static(b"tick"));
        assert_eq!(events.client.lock().bytes, RESYNC.len());
        assert!(!events.client.catch_up());
        events.client.send(&Bytes::from_static(b"tick"));
        assert_eq!(next(&mut events).as_deref(), Some(RESYNC));
        assert_eq!(next(&mut events), None, "changes are nothing for a client that is behind");
        assert!(events.client.catch_up() && !events.client.catch_up());
        events.client.send(&Bytes::from_static(b"tick"));
        assert_eq!(next(&mut events).as_deref(), Some("tick"));
    }

    #[test]
    fn what_tells_everything_has_room_and_stays_though_changes_are_dropped() {
        let clients = Arc::new(Clients::default());
        let (mut events, _feeding) = came(&clients).unwrap();
        let large = Bytes::from(vec![b'x'; QUEUE_BYTES + 1]);
        // The first look, and the one after a resync.
        for first in ["hello", RESYNC] {
            if first == RESYNC {
                assert_eq!(next(&mut events).as_deref(), Some(RESYNC));
            }
            assert!(events.client.catch_up());
            (0..3).for_each(|_| events.client.send(&large));
            assert!(!events.client.catch_up());
            (0..=QUEUE).for_each(|_| events.client.send(&Bytes::from_static(b"tick")));
            if first == "hello" {
                assert_eq!(next(&mut events).as_deref(), Some("hello"));
            }
            let told: Vec<_> = (0..3).map(|_| next(&mut events).unwrap().len()).collect();
            assert_eq!(told, [large.len(); 3]);
        }
        assert_eq!(next(&mut events).as_deref(), Some(RESYNC));
        assert_eq!((next(&mut events), events.client.lock().bytes), (None, 0));
    }

    #[test]
    fn a_full_queue_is_dropped_for_a_resync() {
        let clients = Arc::new(Clients::default());
        let (mut events, _feeding) = came(&clients).unwrap();
        assert!(events.client.catch_up() && !events.client.catch_up());
        for _ in 0..=QUEUE {
            events.client.send(&Bytes::from_static(b"tick"));
        }
        assert_eq!(next(&mut events).as_deref(), Some("hello"));
        assert_eq!(next(&mut events).as_deref(), Some(RESYNC));
        assert_eq!(next(&mut events), None);
        assert!(events.client.catch_up(), "the next event tells everything");
        events.client.end(&Bytes::from_static(b"bye"));
        assert_eq!([next(&mut events), next(&mut events)], ["bye", "over"].map(|text| Some(text.to_owned())));
    }
}
