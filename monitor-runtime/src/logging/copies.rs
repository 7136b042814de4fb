//! Records of the `log` crate that `tracing` makes of its own events and spans.
//!
//! With the feature `log-always` of `tracing`, which any dependency may turn on, every event and every span is also a record whose
//! text holds all values. The event's line is written already, and there `redact` finds the values by their names.

use std::collections::HashSet;
use std::sync::{LazyLock, PoisonError, RwLock};

use foldhash::fast::FixedState;
use log::Record;
use tracing::{Event, Metadata};
use tracing_log::NormalizeEvent as _;

/// The targets that `tracing` gives to records about spans without values, and about their being entered and left.
const LIFECYCLE: [&str; 2] = ["tracing::span", "tracing::span::active"];

/// File, line and module.
type Place<'a> = (&'a str, u32, Option<&'a str>);

/// Where the callsites of `tracing` are. One is registered before the first record that is made of it.
static CALLSITES: LazyLock<RwLock<HashSet<Place<'static>, FixedState>>> = LazyLock::new(RwLock::default);

/// Notes a callsite, so that records made of it are known as copies.
pub(super) fn note(metadata: &'static Metadata<'static>) {
    if let Some(place) = place(metadata.file(), metadata.line(), metadata.module_path()) {
        CALLSITES.write().unwrap_or_else(PoisonError::into_inner).insert(place);
    }
}

/// Whether `tracing` has made the record. The macros of `log` name their file for good, which `tracing` never does; so a line that
/// calls both macros keeps its record.
pub(super) fn is_copy(record: &Record<'_>) -> bool {
    record.file_static().is_none()
        && is_copied(record.target(), place(record.file(), record.line(), record.module_path()))
}

/// The same of an event that another crate's logger has made of a record.
pub(super) fn is_copy_handed_on(event: &Event<'_>) -> bool {
    event
        .normalized_metadata()
        .is_some_and(|log| is_copied(log.target(), place(log.file(), log.line(), log.module_path())))
}

fn is_copied(target: &str, place: Option<Place<'_>>) -> bool {
    LIFECYCLE.contains(&target) || place.is_some_and(|place| is_callsite(&place))
}

fn is_callsite(place: &Place<'_>) -> bool {
    // Shortened, so that a place which does not live as long as a callsite can be looked up.
    let callsites: &HashSet<Place<'_>, _> = &CALLSITES.read().unwrap_or_else(PoisonError::into_inner);
    callsites.contains(place)
}

fn place<'a>(file: Option<&'a str>, line: Option<u32>, module: Option<&'a str>) -> Option<Place<'a>> {
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

    /// A record as `tracing` makes it, about a callsite.
    fn is_copy_of(target: &str, file: Option<&str>, line: Option<u32>, module: Option<&str>) -> bool {
        is_copy(&Record::builder().target(target).file(file).line(line).module_path(module).build())
    }

    #[test]
    fn a_record_from_where_tracing_has_a_callsite_is_a_copy_whatever_its_target() {
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
