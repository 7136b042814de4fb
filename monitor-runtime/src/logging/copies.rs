//! Detects records of the `log` crate that `tracing` makes from its own events and spans.
//!
//! With `tracing`'s feature `log-always`, which any dependency can enable, every event and span also becomes a record
//! whose text contains all values. Such a copy is dropped: the event's line is already written, and there `redact` can
//! find the values by name. text holds all values. The event's line is written already, and there `redact` finds the
//! values by their names.

use std::cell::Cell;
use std::collections::HashSet;
use std::sync::{LazyLock, PoisonError, RwLock};

use foldhash::fast::FixedState;
use log::Record;
use tracing::{Event, Metadata};
use tracing_log::NormalizeEvent as _;

/// The targets of `tracing`'s records about spans without values, and about entering and leaving spans.
const LIFECYCLE: [&str; 2] = ["tracing::span", "tracing::span::active"];

/// File, line and module path.
type Location<'a> = (&'a str, u32, Option<&'a str>);

/// The locations of all callsites of `tracing`. A callsite is registered before any record is made from it.
static CALLSITES: LazyLock<RwLock<HashSet<Location<'static>, FixedState>>> = LazyLock::new(RwLock::default);

thread_local! {
    /// Set while an event is made from a record that is not a copy. It cannot be an argument, since `tracing` is
    /// between this code and the layer.
    static IS_OWN_RECORD: Cell<bool> = const { Cell::new(false) };
}

/// Notes a callsite, so that records made from it are recognized as copies.
pub(super) fn note(metadata: &'static Metadata<'static>) {
    if let Some(location) = location(metadata.file(), metadata.line(), metadata.module_path()) {
        CALLSITES.write().unwrap_or_else(PoisonError::into_inner).insert(location);
    }
}

/// Whether `tracing` has made the record. The macros of `log` set a static file name and `tracing` never does, so a
/// source line that uses both macros keeps its record.
pub(super) fn is_copy(record: &Record<'_>) -> bool {
    record.file_static().is_none()
        && is_copied(record.target(), location(record.file(), record.line(), record.module_path()))
}

/// Marks events on this thread as made from a record, until dropped.
pub(super) struct OwnRecord {
    before: bool,
}

impl OwnRecord {
    pub(super) fn begin() -> Self {
        Self { before: IS_OWN_RECORD.replace(true) }
    }
}

impl Drop for OwnRecord {
    fn drop(&mut self) {
        IS_OWN_RECORD.set(self.before);
    }
}

/// Whether the event is made from a copy that another crate's logger has passed on.
pub(super) fn is_copied_event(event: &Event<'_>) -> bool {
    event.metadata().target() == "log" && !IS_OWN_RECORD.get() && is_copy_handed_on(event)
}

/// Applies [`is_copy`] to an event that another crate's logger has made from a record.
fn is_copy_handed_on(event: &Event<'_>) -> bool {
    event
        .normalized_metadata()
        .is_some_and(|log| is_copied(log.target(), location(log.file(), log.line(), log.module_path())))
}

fn is_copied(target: &str, location: Option<Location<'_>>) -> bool {
    LIFECYCLE.contains(&target) || location.is_some_and(|location| is_callsite(&location))
}

fn is_callsite(location: &Location<'_>) -> bool {
    // Shortens the lifetime in the type, so that a location with a shorter lifetime can be looked up.
    let callsites: &HashSet<Location<'_>, _> = &CALLSITES.read().unwrap_or_else(PoisonError::into_inner);
    callsites.contains(location)
}

fn location<'a>(file: Option<&'a str>, line: Option<u32>, module: Option<&'a str>) -> Option<Location<'a>> {
    Some((file?, line?, module))
}

#[cfg(test)]
mod tests {
    use tracing::Callsite as _;

    use super::*;

    const LIBRARY: &str = "other/src/lib.rs";

    fn noted() -> &'static Metadata<'static> {
        let callsite =
            tracing::callsite! { name: "test", kind: tracing_core::metadata::Kind::EVENT, fields: };
        note(callsite.metadata());
        callsite.metadata()
    }

    /// A record about a callsite, as `tracing` makes it.
    fn is_copy_of(target: &str, file: Option<&str>, line: Option<u32>, module: Option<&str>) -> bool {
        is_copy(&Record::builder().target(target).file(file).line(line).module_path(module).build())
    }

    #[test]
    fn a_record_of_a_tracing_callsite_is_a_copy_with_any_target() {
        let metadata = noted();
        let (file, line, module) = (metadata.file(), metadata.line(), metadata.module_path());
        assert!(is_copy_of("any", file, line, module));
        assert!(!is_copy_of("any", file, line.map(|line| line + 1), module));
        assert!(!is_copy_of("any", Some(LIBRARY), line, module));
        assert!(!is_copy_of("any", file, line, Some("another::module")));
    }

    #[test]
    fn a_record_about_a_span_is_a_copy_wherever_it_is_from() {
        assert!(is_copy_of("tracing::span", None, None, None));
        assert!(is_copy_of("tracing::span::active", Some(LIBRARY), Some(1), None));
        assert!(!is_copy_of("tracing::spanner", None, None, None));
    }

    #[test]
    fn a_record_of_the_macros_of_log_or_without_a_place_is_no_copy() {
        let metadata = noted();
        let by_macro = Record::builder()
            .file_static(metadata.file())
            .line(metadata.line())
            .module_path_static(metadata.module_path())
            .build();
        assert!(!is_copy(&by_macro));
        assert!(!is_copy_of(metadata.target(), None, None, None));
    }
}
