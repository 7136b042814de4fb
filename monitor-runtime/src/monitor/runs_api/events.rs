//! The events of the stream as text: <https://html.spec.whatwg.org/multipage/server-sent-events.html>.

use std::sync::LazyLock;
use std::time::Instant;

use bytes::Bytes;

use super::object::Object;

/// When ids of events begin.
static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Writes an event. Its id is its time in milliseconds.
pub(super) fn event(name: &str, write: impl FnOnce(&mut Object<'_>)) -> Bytes {
    let mut out = format!("event: {name}\nid: {}\ndata: ", now_id()).into_bytes();
    let mut object = Object::open(&mut out);
    write(&mut object);
    object.close();
    out.extend_from_slice(b"\n\n");
    out.into()
}

/// The id of an event of this moment.
pub(super) fn now_id() -> u64 {
    u64::try_from(BEGUN.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// The event that ends a stream.
pub(super) fn bye() -> Bytes {
    event("bye", |object| {
        object.plain("retry_ms", Some(2_000));
        object.text("reason", "the service drains");
    })
}
