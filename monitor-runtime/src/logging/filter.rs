//! The filter of events and spans: lines by level, and enclosing spans, whose fields are on those lines.

use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Filter};

/// The most verbose level of spans that are open whatever the level of lines; requests and calls have it.
const CONTEXT: Level = Level::INFO;

/// The filter of our subscriber, or of the layer alone.
///
/// Its decision depends only on the callsite, so `tracing` asks once for each and caches the answer.
#[derive(Debug)]
pub(crate) struct LogFilter {
    lines: Targets,
    max_level: LevelFilter,
}

impl LogFilter {
    /// Filters lines by `lines`. Unless they are all off, spans up to [`CONTEXT`] are enabled as well.
    pub(super) fn new(lines: Targets) -> Self {
        // The hint of `Targets` also includes levels that were replaced later.
        let levels = lines.iter().map(|(_, level)| level).chain(lines.default_level());
        let max_level = levels.max().unwrap_or(LevelFilter::OFF);
        Self { lines, max_level }
    }

    /// The most verbose level of a line.
    pub(super) fn max_line_level(&self) -> LevelFilter {
        self.max_level
    }

    /// The most verbose level of any line or span.
    pub(super) fn max_level(&self) -> LevelFilter {
        if self.is_off() { LevelFilter::OFF } else { self.max_level.max(CONTEXT.into()) }
    }

    pub(super) fn is_enabled(&self, metadata: &Metadata<'_>) -> bool {
        let is_context = metadata.is_span() && *metadata.level() <= CONTEXT && !self.is_off();
        is_context || self.lines.would_enable(metadata.target(), metadata.level())
    }

    pub(super) fn interest(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.is_enabled(metadata) { Interest::always() } else { Interest::never() }
    }

    fn is_off(&self) -> bool {
        self.max_level == LevelFilter::OFF
    }
}

impl<S: Subscriber> Filter<S> for LogFilter {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        self.is_enabled(metadata)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        self.interest(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.max_level())
    }
}

#[cfg(test)]
mod tests {
    use tracing::callsite::{Callsite, Identifier};
    use tracing::field::FieldSet;
    use tracing::metadata::Kind;

    use super::*;

    struct Nowhere;

    impl Callsite for Nowhere {
        fn set_interest(&self, _: Interest) {}

        fn metadata(&self) -> &Metadata<'_> {
            unreachable!("never registered")
        }
    }

    static NOWHERE: Nowhere = Nowhere;

    fn is_enabled(filter: &LogFilter, kind: Kind, target: &str, level: Level) -> bool {
        let fields = FieldSet::new(&[], Identifier(&NOWHERE));
        filter.is_enabled(&Metadata::new("test", target, level, None, None, None, fields, kind))
    }

    fn filter(level: LevelFilter, target: (&str, LevelFilter)) -> LogFilter {
        LogFilter::new(
            Targets::new()
                .with_default(LevelFilter::INFO)
                .with_default(level)
                .with_target(target.0, target.1),
        )
    }

    #[test]
    fn spans_are_recorded_from_info_on_and_events_by_their_level() {
        let filter = filter(LevelFilter::ERROR, ("app", LevelFilter::DEBUG));
        let is_enabled = |kind, target, level| is_enabled(&filter, kind, target, level);
        assert!(is_enabled(Kind::SPAN, "other", Level::INFO));
        assert!(!is_enabled(Kind::SPAN, "other", Level::DEBUG));
        assert!(is_enabled(Kind::SPAN, "app", Level::DEBUG));
        assert!(!is_enabled(Kind::SPAN, "app", Level::TRACE));
        assert!(!is_enabled(Kind::EVENT, "other", Level::INFO));
        assert!(is_enabled(Kind::EVENT, "other", Level::ERROR));
        assert!(is_enabled(Kind::EVENT, "app", Level::DEBUG));
    }

    #[test]
    fn nothing_is_recorded_only_where_no_line_is() {
        let off = filter(LevelFilter::OFF, ("app", LevelFilter::OFF));
        assert!(!is_enabled(&off, Kind::SPAN, "app", Level::ERROR));
        assert_eq!((off.max_level(), off.max_line_level()), (LevelFilter::OFF, LevelFilter::OFF));
        let almost = filter(LevelFilter::OFF, ("app", LevelFilter::ERROR));
        assert!(is_enabled(&almost, Kind::SPAN, "other", Level::INFO));
        assert!(!is_enabled(&almost, Kind::EVENT, "other", Level::ERROR));
    }

    #[test]
    fn the_hint_leaves_room_for_spans_and_that_of_lines_does_not() {
        let quiet = filter(LevelFilter::WARN, ("app", LevelFilter::OFF));
        assert_eq!((quiet.max_level(), quiet.max_line_level()), (LevelFilter::INFO, LevelFilter::WARN));
        let loud = filter(LevelFilter::WARN, ("app", LevelFilter::TRACE));
        assert_eq!((loud.max_level(), loud.max_line_level()), (LevelFilter::TRACE, LevelFilter::TRACE));
    }
}
