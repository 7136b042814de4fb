//! The open spans of the process's own subscriber, and the spans that each thread has entered.
//!
//! A span occupies a slot. A slot is reused after its span has ended, so an id consists of the slot and its use:
//!
//! ```text
//!              63          32 31           0
//! id          | use          | slot + 1     |    never 0, which `Id` does not allow
//! Slot::state | use          | handles      |    an id is valid while both uses are equal
//!
//! SLOTS   block 0    block 1     block 2
//!         64 slots   128 slots   256 slots  …    made when first needed, never freed or moved
//! slot    0 … 63     64 … 191    192 … 447
//!
//!         take_slot         open            release, the last handle
//! free ──────────▶ taken ──────────▶ open ───────────────────────────▶ free, use + 1
//!                  handles = 0       handles ≥ 1; retain adds one
//! ```
//!
//! A slot holds all fields bound in its span, including those of its ancestors. A span therefore keeps no other span
//! open, and a line reads a single slot, however deeply spans are nested. Invariants:
//!
//! * `use` changes only under the lock of the slot's span, so holding the lock and seeing an equal use is enough to
//!   read that span.
//! * A slot is in one place: in a thread's `free`, in [`FREE_SLOTS`], or taken by a span.
//! * No user code runs under a lock: values are rendered before a slot is locked.

use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tracing::Metadata;
use tracing::span::Id;
use tracing_core::span::Current;

use super::span_fields;
use super::store::SpanStore;
use crate::call::foreign_call::ForeignCall;
use crate::logging::record::callsite_cache::SpanKind;
use crate::logging::record::fields::Fields;
use crate::trace_context::TraceContext;

/// The slots of the first block; each later block has twice as many as the one before.
const FIRST_BLOCK: u32 = 64;
/// As many blocks as 32-bit slot numbers allow.
const BLOCKS: usize = 26;

/// The maximum number of free slots that a thread keeps, and the number it takes or returns at once.
const KEPT_SLOTS: usize = 64;
const BATCH: usize = KEPT_SLOTS / 2;

/// A slot keeps its buffer up to this many bytes.
const KEPT_BYTES: usize = 1_024;

/// Blocks never move, so a slot is found without a lock.
static SLOTS: [OnceLock<Box<[Slot]>>; BLOCKS] = [const { OnceLock::new() }; BLOCKS];

#[derive(Debug, Default)]
struct Slot {
    /// The upper half counts earlier uses of the slot; the lower half, the handles of the span in it.
    state: AtomicU64,
    span: Mutex<OpenSpan>,
}

/// An open span.
#[derive(Debug, Default)]
struct OpenSpan {
    metadata: Option<&'static Metadata<'static>>,
    bound: Fields,
    /// The trace from a request's headers; spans opened inside inherit it.
    trace: Option<Arc<TraceContext>>,
    /// The model call of another crate's span.
    call: Option<Arc<ForeignCall>>,
}

/// The free slots that no thread keeps. Threads take and return them in batches, so the lock is rarely taken.
static FREE_SLOTS: Mutex<FreeSlots> = Mutex::new(FreeSlots { slots: Vec::new(), made: 0 });

struct FreeSlots {
    slots: Vec<u32>,
    /// The number of slots made so far.
    made: u32,
}

thread_local! {
    /// `tracing` asks for a thread's current span, and passes no argument that could hold it.
    static THREAD_SPANS: RefCell<ThreadSpans> = const { RefCell::new(ThreadSpans { entered: Vec::new(), free: Vec::new() }) };
}

thread_local! {
    /// The spans entered by destructors of other thread-locals while the thread ends. It has no destructor, so it is
    /// available to the last of them.
    static ENTERED_LATE: RefCell<ManuallyDrop<Vec<Id>>> = const { RefCell::new(ManuallyDrop::new(Vec::new())) };
}

struct ThreadSpans {
    /// The entered spans, the innermost last.
    entered: Vec<Id>,
    free: Vec<u32>,
}

impl Drop for ThreadSpans {
    fn drop(&mut self) {
        free_slots().slots.append(&mut self.free);
    }
}

/// Opens a span that binds `own` inside `parent`, with one handle.
pub(crate) fn open(
    metadata: &'static Metadata<'static>,
    parent: Option<&Id>,
    own: &Fields,
    kind: SpanKind,
) -> Id {
    let Some((index, slot)) = take_slot() else {
        // More spans are open than 32 bits can count, so this one binds nothing.
        return Id::from_u64(u64::MAX);
    };
    // The parent is locked first. The new slot may have been the parent's, and only under its lock is it certain that
    // the parent's id is no longer valid.
    let parent = parent.and_then(locked);
    let mut span = slot.lock();
    span.metadata = Some(metadata);
    span_fields::inherit(&mut span.bound, parent.as_deref().map(|parent| &parent.bound), own);
    if let Some(parent) = parent {
        if kind == SpanKind::Agent {
            span_fields::name_parent(&mut span.bound, &parent.bound);
        }
        span.trace.clone_from(&parent.trace);
    }
    // Only this thread can use a taken slot.
    let state = slot.state.load(Ordering::Relaxed);
    slot.state.store(state + 1, Ordering::Release);
    Id::from_u64(state | u64::from(index + 1))
}

/// Reads the fields bound inside a span.
pub(crate) fn read<T>(id: &Id, read: impl FnOnce(&Fields) -> T) -> Option<T> {
    locked(id).map(|span| read(&span.bound))
}

/// Binds more fields in a span. Returns `false` if it has ended.
pub(crate) fn extend(id: &Id, own: &Fields) -> bool {
    locked(id).map(|mut span| span_fields::add(&mut span.bound, own)).is_some()
}

/// Binds more fields in a span, and returns its model call, if it has one.
pub(crate) fn extend_with_call(id: &Id, own: &Fields) -> Option<Arc<ForeignCall>> {
    let mut span = locked(id)?;
    span_fields::add(&mut span.bound, own);
    span.call.clone()
}

/// Gives an open span its model call.
pub(crate) fn keep_call(id: &Id, call: Arc<ForeignCall>) {
    if let Some(mut span) = locked(id) {
        span.call = Some(call);
    }
}

/// The model call of the innermost span that the thread has entered and that has one.
pub(crate) fn innermost_call() -> Option<Arc<ForeignCall>> {
    let entered = THREAD_SPANS.try_with(|thread| thread.borrow().entered.clone()).ok()?;
    entered.iter().rev().find_map(|id| locked(id)?.call.clone())
}

/// The slots as a [`SpanStore`].
pub(crate) struct Slab;

impl SpanStore for Slab {
    fn extend_current(&self, own: &Fields) -> bool {
        innermost().is_some_and(|span| extend(&span, own))
    }

    fn read(&self, id: &Id, visit: &mut dyn FnMut(&Fields)) {
        read(id, visit);
    }

    /// Spans opened inside from now on belong to the trace as well: each copies its parent's.
    fn keep_trace(&self, id: &Id, trace: &TraceContext) {
        if let Some(mut span) = locked(id) {
            span.trace = Some(Arc::new(trace.clone()));
        }
    }

    #[cfg(feature = "runs")]
    fn trace(&self, id: &Id) -> Option<TraceContext> {
        locked(id)?.trace.as_deref().cloned()
    }

    fn current_trace(&self) -> Option<TraceContext> {
        locked(&innermost()?)?.trace.as_deref().cloned()
    }

    fn current_call(&self) -> Option<Arc<ForeignCall>> {
        innermost_call()
    }
}

/// Adds a handle to a span.
pub(crate) fn retain(id: &Id) {
    if let Some(slot) = find(id).filter(|slot| slot.holds(id)) {
        slot.state.fetch_add(1, Ordering::Relaxed);
    }
}

/// Removes a handle from a span. Returns `true` if it was the last, which ends the span.
pub(crate) fn release(id: &Id) -> bool {
    let Some(slot) = find(id).filter(|slot| slot.holds(id)) else { return false };
    let before = slot.state.fetch_sub(1, Ordering::AcqRel);
    let has_ended = handles(before) == 1;
    if has_ended {
        let mut span = slot.lock();
        span.bound.shrink_to(KEPT_BYTES);
        span.trace = None;
        let call = if span.call.is_some() { span.call.take() } else { None };
        slot.state.store((before - 1).wrapping_add(ONE_USE), Ordering::Release);
        drop(span);
        give_slot(index(id));
        if let Some(call) = call {
            call.close();
        }
    }
    has_ended
}

/// Notes that the thread has entered a span.
pub(crate) fn enter(id: &Id) {
    if THREAD_SPANS.try_with(|thread| thread.borrow_mut().entered.push(id.clone())).is_err() {
        late(|entered| entered.push(id.clone()));
    }
}

/// Notes that the thread has left a span.
pub(crate) fn exit(id: &Id) {
    if THREAD_SPANS.try_with(|thread| leave(&mut thread.borrow_mut().entered, id)).is_err() {
        late(|entered| leave(entered, id));
    }
}

fn leave(entered: &mut Vec<Id>, id: &Id) {
    match entered.iter().rposition(|entered| entered == id) {
        Some(last) if last + 1 == entered.len() => drop(entered.pop()),
        Some(at) => drop(entered.remove(at)),
        None => {}
    }
}

/// The innermost span that the thread has entered.
#[inline]
pub(crate) fn innermost() -> Option<Id> {
    let last = THREAD_SPANS.try_with(|thread| thread.borrow().entered.last().cloned());
    last.unwrap_or_else(|_| late(|entered| entered.last().cloned()))
}

/// Accesses the spans entered after [`THREAD_SPANS`] was destroyed. Leaving the last one frees the memory.
#[cold]
fn late<T>(work: impl FnOnce(&mut Vec<Id>) -> T) -> T {
    ENTERED_LATE.with(|late| {
        let mut entered = ManuallyDrop::into_inner(late.replace(ManuallyDrop::new(Vec::new())));
        let done = work(&mut entered);
        late.replace(ManuallyDrop::new(entered));
        done
    })
}

/// The innermost span, in the form that `tracing` asks for.
pub(crate) fn current() -> Current {
    let span = innermost().and_then(|id| locked(&id)?.metadata.map(|metadata| (id.clone(), metadata)));
    span.map_or_else(Current::none, |(id, metadata)| Current::new(id, metadata))
}

const ONE_USE: u64 = 1 << 32;

impl Slot {
    fn lock(&self) -> MutexGuard<'_, OpenSpan> {
        self.span.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the slot still holds the span that `id` was given to.
    #[inline]
    fn holds(&self, id: &Id) -> bool {
        self.state.load(Ordering::Acquire) / ONE_USE == id.into_u64() / ONE_USE
    }
}

fn handles(state: u64) -> u64 {
    state % ONE_USE
}

/// The number of the slot.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the slot is in the lower half")]
fn index(id: &Id) -> u32 {
    (id.into_u64() as u32).wrapping_sub(1)
}

#[inline]
fn find(id: &Id) -> Option<&'static Slot> {
    let (block, offset) = locate(index(id));
    SLOTS.get(block)?.get()?.get(offset)
}

/// Locks the span of an id, unless it has ended.
#[inline]
fn locked(id: &Id) -> Option<MutexGuard<'static, OpenSpan>> {
    let slot = find(id)?;
    let span = slot.lock();
    // A span ends under this lock, so it stays open while the guard lives.
    slot.holds(id).then_some(span)
}

/// The block of a slot, and its offset in the block.
#[inline]
fn locate(index: u32) -> (usize, usize) {
    let block = (index / FIRST_BLOCK + 1).ilog2();
    let before = FIRST_BLOCK * ((1 << block) - 1);
    (block as usize, (index - before) as usize)
}

/// Takes a free slot for this thread alone.
fn take_slot() -> Option<(u32, &'static Slot)> {
    let kept = THREAD_SPANS.try_with(|thread| thread.borrow_mut().free.pop()).ok().flatten();
    let index = kept.or_else(take_shared)?;
    let (block, offset) = locate(index);
    let slots =
        SLOTS.get(block)?.get_or_init(|| (0..FIRST_BLOCK << block).map(|_| Slot::default()).collect());
    Some((index, slots.get(offset)?))
}

#[cold]
fn take_shared() -> Option<u32> {
    let mut free_slots = free_slots();
    if let Some(index) = free_slots.slots.pop() {
        let rest = free_slots.slots.len().saturating_sub(BATCH);
        let _ =
            THREAD_SPANS.try_with(|thread| thread.borrow_mut().free.extend(free_slots.slots.drain(rest..)));
        return Some(index);
    }
    let index = free_slots.made;
    free_slots.made = index.checked_add(1)?;
    Some(index)
}

fn give_slot(index: u32) {
    let is_kept = THREAD_SPANS.try_with(|thread| {
        let kept = &mut thread.borrow_mut().free;
        if kept.len() == KEPT_SLOTS {
            free_slots().slots.extend(kept.drain(..BATCH));
        }
        kept.push(index);
    });
    if is_kept.is_err() {
        free_slots().slots.push(index);
    }
}

fn free_slots() -> MutexGuard<'static, FreeSlots> {
    FREE_SLOTS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::mpsc;

    use tracing::Callsite as _;

    use super::*;
    use crate::logging::record::fields::Key;

    fn metadata() -> &'static Metadata<'static> {
        tracing::callsite! { name: "test", kind: tracing_core::metadata::Kind::SPAN, fields: }.metadata()
    }

    fn fields(name: &str, value: &str) -> Fields {
        let mut fields = Fields::default();
        fields.bind(Key::new(name), |out| out.extend_from_slice(value.as_bytes()));
        fields
    }

    fn opened(parent: Option<&Id>, name: &str, value: &str) -> Id {
        open(metadata(), parent, &fields(name, value), SpanKind::Plain)
    }

    fn shown(id: &Id) -> Option<String> {
        read(id, |bound| String::from_utf8(bound.bytes().to_vec()).unwrap())
    }

    #[test]
    fn a_span_keeps_the_fields_of_a_parent_that_has_ended() {
        let outer = opened(None, "a", "1");
        let inner = opened(Some(&outer), "b", "2");
        assert!(release(&outer));
        assert_eq!(shown(&inner).unwrap(), r#","a":1,"b":2"#);
        assert_eq!(shown(&outer), None);
        assert!(release(&inner));
    }

    #[test]
    fn a_span_ends_with_its_last_handle() {
        let span = opened(None, "a", "1");
        retain(&span);
        assert!(!release(&span));
        assert!(shown(&span).is_some());
        assert!(release(&span));
        assert!(!release(&span), "ended twice");
    }

    #[test]
    fn the_id_of_an_ended_span_does_not_reach_the_next_in_its_slot() {
        let ended = opened(None, "a", "1");
        assert!(release(&ended));
        let next = opened(None, "b", "2");
        assert_eq!(index(&next), index(&ended), "the thread did not reuse its slot");
        assert_eq!(shown(&ended), None);
        assert!(!extend(&ended, &fields("c", "3")));
        retain(&ended);
        assert!(!release(&ended));
        assert_eq!(shown(&next).unwrap(), r#","b":2"#);
        assert!(release(&next));
    }

    #[test]
    fn fields_bound_later_are_in_spans_opened_later() {
        let outer = opened(None, "a", "1");
        let before = opened(Some(&outer), "b", "2");
        assert!(extend(&outer, &fields("a", "3")));
        let after = opened(Some(&outer), "b", "4");
        assert_eq!(
            [&outer, &before, &after].map(|id| shown(id).unwrap()),
            [r#","a":3"#, r#","a":1,"b":2"#, r#","a":3,"b":4"#]
        );
        for id in [outer, before, after] {
            assert!(release(&id));
        }
    }

    #[test]
    fn spans_may_be_left_in_another_order_than_they_were_entered() {
        let [first, second] = [opened(None, "a", "1"), opened(None, "b", "2")];
        assert_eq!(innermost(), None);
        enter(&first);
        enter(&second);
        exit(&first);
        assert_eq!(innermost().as_ref(), Some(&second));
        assert_eq!(current().id(), Some(&second));
        exit(&first);
        exit(&second);
        assert_eq!(innermost(), None);
        assert!(current().id().is_none());
        assert!(release(&first) && release(&second));
    }

    #[test]
    fn slots_of_spans_that_end_on_another_thread_are_used_again() {
        let (sender, opened_elsewhere) = mpsc::sync_channel::<Id>(8);
        let ends = std::thread::spawn(move || opened_elsewhere.iter().all(|id| release(&id)));
        let mut slots = HashSet::new();
        for _ in 0..20_000 {
            let id = opened(None, "a", "1");
            slots.insert(index(&id));
            sender.send(id).unwrap();
        }
        drop(sender);
        assert!(ends.join().unwrap(), "a span was not open");
        // Several times as many slots as both threads keep, since other tests take and return slots as well.
        assert!(slots.len() < 1_000, "{} slots were used", slots.len());
    }

    #[test]
    fn every_number_has_a_slot_of_its_own() {
        assert_eq!([0, 63, 64, 191, 192].map(locate), [(0, 0), (0, 63), (1, 0), (1, 127), (2, 0)]);
        assert_eq!(locate(FIRST_BLOCK * ((1 << BLOCKS) - 1) - 1), (BLOCKS - 1, (1 << (BLOCKS + 5)) - 1));
        assert_eq!(locate(index(&Id::from_u64(u64::MAX))).0, BLOCKS, "the invalid id has a slot");
    }

    #[test]
    fn one_span_is_read_bound_and_held_by_many_threads() {
        let outer = opened(None, "a", "1");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1_000 {
                        retain(&outer);
                        assert!(extend(&outer, &fields("b", "2")));
                        let inner = opened(Some(&outer), "c", "3");
                        assert_eq!(shown(&inner).unwrap(), r#","a":1,"b":2,"c":3"#);
                        assert!(release(&inner) && !release(&outer));
                    }
                });
            }
        });
        assert!(release(&outer));
    }
}
