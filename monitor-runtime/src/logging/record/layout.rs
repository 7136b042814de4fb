//! The layout of the front of a JSON line: its names as other systems expect them, and the place in the source.
//!
//! Bound fields are rendered before their output is known. A layout with other names than ours therefore renames them
//! in the finished line.

use super::fields::Fields;
use crate::families::process::LEVELS;
use crate::json;

/// The names of the fields that every line has, for [`LoggingBuilder::keys`](crate::logging::LoggingBuilder::keys).
///
/// | field | [`default`](Self::default) | [`datadog`](Self::datadog) | [`gcp`](Self::gcp) | [`ecs`](Self::ecs) |
/// | --- | --- | --- | --- | --- |
/// | time | `timestamp` | `timestamp` | `time` | `@timestamp` |
/// | level | `level` | `status` | `severity` | `log.level` |
/// | target | `logger` | `logger.name` | `logger` | `log.logger` |
/// | message | `event` | `message` | `message` | `message` |
/// | place in the source, with [`location`](crate::logging::LoggingBuilder::location) | `file`, `line` | `file`, `line` | `logging.googleapis.com/sourceLocation` | `log.origin.file.name`, `log.origin.file.line` |
/// | `error` | `error` | `error.message` | `error` | `error.message` |
/// | `error.type` | `error.type` | `error.kind` | `error.type` | `error.type` |
/// | `trace_id`, `span_id` | the same | the same | the same | `trace.id`, `span.id` |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keys(Preset);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Preset {
    #[default]
    Own,
    Datadog,
    Gcp,
    Ecs,
}

impl Keys {
    /// Returns the names of Datadog's [reserved and standard attributes].
    ///
    /// [reserved and standard attributes]: https://docs.datadoghq.com/logs/log_configuration/attributes_naming_convention/
    pub const fn datadog() -> Self {
        Self(Preset::Datadog)
    }

    /// Returns the names of Google Cloud's [structured logging].
    ///
    /// The levels are those of its `LogSeverity`: `ERROR`, `WARNING`, `INFO`, and `DEBUG` for `debug` and `trace`.
    ///
    /// [structured logging]: https://cloud.google.com/logging/docs/structured-logging
    pub const fn gcp() -> Self {
        Self(Preset::Gcp)
    }

    /// Returns the names of the [Elastic Common Schema].
    ///
    /// Each line also has the version of the schema, `ecs.version`.
    ///
    /// [Elastic Common Schema]: https://www.elastic.co/docs/reference/ecs
    pub const fn ecs() -> Self {
        Self(Preset::Ecs)
    }
}

/// The layout of the front of a JSON line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Layout {
    keys: Keys,
    has_location: bool,
}

/// A place in the source: the file, as lines show it, and the line.
pub(crate) type Place<'a> = (&'a str, u32);

/// The names of one preset.
struct Names {
    /// The bytes before the time.
    opening: &'static str,
    level: &'static str,
    levels: [&'static str; 5],
    /// Constant fields after the level, rendered.
    constants: &'static str,
    logger: &'static str,
    /// The bytes before the file's name, before the line's number and after it.
    place: [&'static str; 3],
    message: &'static str,
    /// Fields that get another name: our name and the new one.
    renamed: &'static [(&'static str, &'static str)],
    /// The names that the front takes, except `file` and `line`.
    taken: &'static [&'static str],
}

const OWN: Names = Names {
    opening: "{\"timestamp\":\"",
    level: "level",
    levels: LEVELS,
    constants: "",
    logger: "logger",
    place: [",\"file\":", ",\"line\":", ""],
    message: "event",
    renamed: &[],
    taken: &["timestamp", "level", "logger", "event"],
};

const DATADOG: Names = Names {
    level: "status",
    logger: "logger.name",
    message: "message",
    renamed: &[("error", "error.message"), ("error.type", "error.kind")],
    taken: &["timestamp", "status", "logger.name", "message"],
    ..OWN
};

const GCP: Names = Names {
    opening: "{\"time\":\"",
    level: "severity",
    levels: ["ERROR", "WARNING", "INFO", "DEBUG", "DEBUG"],
    place: [",\"logging.googleapis.com/sourceLocation\":{\"file\":", ",\"line\":\"", "\"}"],
    message: "message",
    taken: &["time", "severity", "logger", "message", "logging.googleapis.com/sourceLocation"],
    ..OWN
};

const ECS: Names = Names {
    opening: "{\"@timestamp\":\"",
    level: "log.level",
    constants: ",\"ecs.version\":\"8.11.0\"",
    logger: "log.logger",
    place: [",\"log.origin.file.name\":", ",\"log.origin.file.line\":", ""],
    message: "message",
    renamed: &[("error", "error.message"), ("trace_id", "trace.id"), ("span_id", "span.id")],
    taken: &[
        "@timestamp",
        "log.level",
        "ecs.version",
        "log.logger",
        "log.origin.file.name",
        "log.origin.file.line",
        "message",
    ],
    ..OWN
};

impl Layout {
    pub(crate) const OWN: Self = Self { keys: Keys(Preset::Own), has_location: false };

    pub(crate) const fn new(keys: Keys, has_location: bool) -> Self {
        Self { keys, has_location }
    }

    /// The number of the layout, below 8.
    #[inline]
    pub(crate) fn index(self) -> usize {
        self.keys.0 as usize * 2 + usize::from(self.has_location)
    }

    const fn names(self) -> &'static Names {
        match self.keys.0 {
            Preset::Own => &OWN,
            Preset::Datadog => &DATADOG,
            Preset::Gcp => &GCP,
            Preset::Ecs => &ECS,
        }
    }

    /// The bytes before the time.
    #[inline]
    pub(crate) fn opening(self) -> &'static [u8] {
        self.names().opening.as_bytes()
    }

    /// Appends the bytes between the time and the message. `level` is a rank.
    pub(crate) fn write_head(self, out: &mut Vec<u8>, level: usize, logger: &str, place: Option<Place<'_>>) {
        let Names { level: level_key, levels, constants, logger: logger_key, message, .. } = self.names();
        for part in ["\",\"", level_key, "\":\"", levels[level], "\"", constants, ",\"", logger_key, "\":"] {
            out.extend_from_slice(part.as_bytes());
        }
        json::write_str(out, logger);
        self.write_place(out, place);
        for part in [",\"", message, "\":"] {
            out.extend_from_slice(part.as_bytes());
        }
    }

    fn write_place(self, out: &mut Vec<u8>, place: Option<Place<'_>>) {
        let Some((file, line)) = place.filter(|_| self.has_location) else { return };
        let [before, between, after] = self.names().place;
        out.extend_from_slice(before.as_bytes());
        json::write_str(out, file);
        out.extend_from_slice(between.as_bytes());
        out.extend_from_slice(line.to_string().as_bytes());
        out.extend_from_slice(after.as_bytes());
    }

    /// Gives each field the name that this layout has for it. A field whose name is taken becomes `field.<name>`.
    /// `scratch` is overwritten.
    #[inline]
    pub(crate) fn rename(self, fields: &mut Fields, scratch: &mut Fields) {
        if self.index() != Self::OWN.index() {
            self.rename_all(fields, scratch);
        }
    }

    fn rename_all(self, fields: &mut Fields, scratch: &mut Fields) {
        scratch.clear();
        for field in fields.iter() {
            let renamed = self.names().renamed.iter().find(|(name, _)| name.as_bytes() == field.key());
            let mut key = renamed.map_or(field.key(), |(_, name)| name.as_bytes()).to_vec();
            while self.takes(&key) || scratch.has(&key) {
                key.splice(0..0, *b"field.");
            }
            scratch.copy_under(&field, &key);
        }
        std::mem::swap(fields, scratch);
    }

    /// Whether the front has a field of this name.
    fn takes(self, key: &[u8]) -> bool {
        let is_place = self.has_location && matches!(self.keys.0, Preset::Own | Preset::Datadog);
        self.names().taken.iter().any(|taken| taken.as_bytes() == key)
            || is_place && matches!(key, b"file" | b"line")
    }
}

#[cfg(test)]
mod tests {
    use super::super::fields::Key;
    use super::*;

    #[test]
    fn each_layout_has_a_number_of_its_own() {
        let keys = [Keys::default(), Keys::datadog(), Keys::gcp(), Keys::ecs()];
        let numbers = keys.iter().flat_map(|&keys| [false, true].map(|has| Layout::new(keys, has).index()));
        assert_eq!(numbers.collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn no_two_fields_get_one_name() {
        let (mut fields, mut scratch) = (Fields::default(), Fields::default());
        for name in ["error.message", "error", "message", "status", "field.status"] {
            fields.add(Key::new(name), |out| out.push(b'1'));
        }
        Layout::new(Keys::datadog(), false).rename(&mut fields, &mut scratch);
        let keys: Vec<_> =
            fields.iter().map(|field| String::from_utf8_lossy(field.key()).into_owned()).collect();
        let expected =
            ["error.message", "field.error.message", "field.message", "field.status", "field.field.status"];
        assert_eq!(keys, expected);
    }
}
