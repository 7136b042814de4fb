//! The settings of logging from the environment and the code, parsed strictly.

use std::env;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

use super::error::LoggingError;

/// The format of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// A flat JSON object for each line; the default.
    #[default]
    Json,
    /// A readable line, `2026-03-21T09:30:00.000125Z  INFO target: message key=value`, in colour if it goes to a
    /// terminal and `NO_COLOR` is unset.
    Pretty,
}

const LEVELS: [(&str, LevelFilter); 6] = [
    ("off", LevelFilter::OFF),
    ("error", LevelFilter::ERROR),
    ("warn", LevelFilter::WARN),
    ("info", LevelFilter::INFO),
    ("debug", LevelFilter::DEBUG),
    ("trace", LevelFilter::TRACE),
];

/// Reads an environment variable of the process.
pub(super) fn from_process(name: &str) -> Option<String> {
    env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// The filter: from `LOG_LEVEL`, else `RUST_LOG`, else the code, else `info`. An empty variable counts as unset.
pub(super) fn targets(
    variable: impl Fn(&str) -> Option<String>,
    filter: Option<&str>,
) -> Result<Targets, LoggingError> {
    for setting in ["LOG_LEVEL", "RUST_LOG"] {
        if let Some(value) = variable(setting).filter(|value| !value.trim().is_empty()) {
            return parsed(setting, &value);
        }
    }
    filter
        .map_or_else(|| Ok(Targets::new().with_default(LevelFilter::INFO)), |filter| parsed("filter", filter))
}

/// The format: from `LOG_FORMAT`, else the code, else JSON.
pub(super) fn format(
    variable: impl Fn(&str) -> Option<String>,
    format: Option<Format>,
) -> Result<Format, LoggingError> {
    match variable("LOG_FORMAT").filter(|value| !value.trim().is_empty()) {
        Some(value) => format_named(&value),
        None => Ok(format.unwrap_or_default()),
    }
}

fn format_named(value: &str) -> Result<Format, LoggingError> {
    match value.trim() {
        name if name.eq_ignore_ascii_case("json") => Ok(Format::Json),
        name if name.eq_ignore_ascii_case("pretty") => Ok(Format::Pretty),
        _ => Err(LoggingError::Format { value: value.to_owned() }),
    }
}

/// Parses comma-separated levels and `target=level` pairs. The parser of `Targets` is not used: it takes a misspelt
/// level for the name of a target, and so would silence everything else.
fn parsed(setting: &'static str, value: &str) -> Result<Targets, LoggingError> {
    let refused = |wrong| LoggingError::Filter { setting, value: value.to_owned(), wrong };
    let mut targets = Targets::new().with_default(LevelFilter::INFO);
    let mut parts = value.split(',').map(str::trim).filter(|part| !part.is_empty()).peekable();
    if parts.peek().is_none() {
        return Err(refused("nothing is named".to_owned()));
    }
    for part in parts {
        targets = match part.split_once('=').map(|(target, level)| (target.trim(), level.trim())) {
            None => {
                targets.with_default(level(part).ok_or_else(|| refused(format!("`{part}` is no level")))?)
            }
            Some(("", _)) => return Err(refused(format!("`{part}` names no target"))),
            Some((target, name)) => {
                if let Some((found, hint)) = misread(target) {
                    return Err(refused(format!("`{part}` names no target, because of `{found}`: {hint}")));
                }
                let level =
                    level(name).ok_or_else(|| refused(format!("`{name}` in `{part}` is no level")))?;
                targets.with_target(target, level)
            }
        };
    }
    Ok(targets)
}

/// The first character of a target that has a meaning in other kinds of filters but not here, with a hint. Paths of
/// modules have letters, digits, `_` and `:`; hand-written targets sometimes have others.
fn misread(target: &str) -> Option<(char, &'static str)> {
    let found = target.chars().find(|&c| {
        c.is_whitespace() || c.is_control() || c.is_ascii_punctuation() && !"_-.:@#+~".contains(c)
    })?;
    let hint = match found {
        ';' | '|' | '&' => "put a comma between levels",
        '*' | '?' | '%' => "a target stands for all that begin with it, and a level alone for all others",
        '[' | ']' | '{' | '}' => "spans and fields cannot be chosen",
        '/' | '\\' => "messages cannot be chosen, and modules are named as in `my_app::db`",
        '"' | '\'' | '`' => "leave quotes out",
        _ => "a target is the path of a module, as in `my_app::db`",
    };
    Some((found, hint))
}

fn level(name: &str) -> Option<LevelFilter> {
    LEVELS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|&(_, level)| level)
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    fn unset(_: &str) -> Option<String> {
        None
    }

    fn set(name: &'static str, value: &'static str) -> impl Fn(&str) -> Option<String> {
        move |asked| (asked == name).then(|| value.to_owned())
    }

    fn refused(value: &str) -> String {
        targets(|_| Some(value.to_owned()), None).expect_err(value).to_string()
    }

    #[test]
    fn without_any_setting_everything_is_logged_from_info_on() {
        let targets = targets(unset, None).unwrap();
        assert!(targets.would_enable("any", &Level::INFO));
        assert!(!targets.would_enable("any", &Level::DEBUG));
        assert_eq!(format(unset, None).unwrap(), Format::Json);
    }

    #[test]
    fn log_level_wins_over_rust_log_and_that_over_the_code() {
        let both = |name: &str| Some(if name == "LOG_LEVEL" { "warn" } else { "debug" }.to_owned());
        assert_eq!(targets(both, Some("trace")).unwrap().default_level(), Some(LevelFilter::WARN));
        let rust_log = set("RUST_LOG", "debug");
        assert_eq!(targets(rust_log, Some("trace")).unwrap().default_level(), Some(LevelFilter::DEBUG));
        assert_eq!(targets(unset, Some("trace")).unwrap().default_level(), Some(LevelFilter::TRACE));
        assert_eq!(format(set("LOG_FORMAT", "Pretty"), Some(Format::Json)).unwrap(), Format::Pretty);
        assert_eq!(format(unset, Some(Format::Pretty)).unwrap(), Format::Pretty);
    }

    #[test]
    fn a_variable_set_to_nothing_counts_as_unset() {
        assert_eq!(
            targets(set("LOG_LEVEL", " "), Some("warn")).unwrap().default_level(),
            Some(LevelFilter::WARN)
        );
        assert_eq!(format(set("LOG_FORMAT", ""), None).unwrap(), Format::Json);
    }

    #[test]
    fn levels_by_target_leave_the_rest_at_info() {
        let targets = targets(unset, Some("sqlx=warn, my_app::db = TRACE,")).unwrap();
        assert!(!targets.would_enable("sqlx::query", &Level::INFO));
        assert!(targets.would_enable("my_app::db", &Level::TRACE));
        assert!(targets.would_enable("my_app", &Level::INFO));
        assert!(!targets.would_enable("my_app", &Level::DEBUG));
    }

    #[test]
    fn a_bad_level_is_refused_with_setting_value_and_expectation() {
        assert_eq!(
            refused("verbose"),
            "LOG_LEVEL is `verbose`, where `verbose` is no level; expected a level (`off`, `error`, `warn`, `info`, \
             `debug`, `trace`), or levels by target as in `info,sqlx=warn`"
        );
        assert!(refused("info,sqlx=loud").contains("`loud` in `sqlx=loud` is no level"));
        assert!(refused("my_app::db").contains("`my_app::db` is no level"));
        assert!(refused("=info").contains("`=info` names no target"));
        assert!(refused("my_app[request]=info").contains("names no target"));
        assert!(
            refused("info;sqlx=warn")
                .contains("`info;sqlx=warn` names no target, because of `;`: put a comma")
        );
        assert!(
            refused("info,*=debug").contains("`*=debug` names no target, because of `*`: a target stands")
        );
        assert!(refused("a=b=info").contains("`b=info` in `a=b=info` is no level"));
        assert!(refused("3").contains("`3` is no level"));
        assert!(refused(",").contains("nothing is named"));
        let error = targets(unset, Some("loud")).unwrap_err().to_string();
        assert!(error.starts_with("filter is `loud`"), "{error}");
    }

    #[test]
    fn characters_of_other_filters_are_refused_in_targets() {
        for target in [
            "info;sqlx",
            "sqlx::*",
            "*",
            "sqlx?",
            "my_app[plan]",
            "plan]",
            "my_app{id}",
            "id}",
            "my_app/db",
            "my_app\\db",
            "\"sqlx\"",
            "'sqlx'",
            "`sqlx`",
            "sqlx|hyper",
            "sqlx&hyper",
            "!sqlx",
            "^sqlx",
            "sqlx$",
            "sqlx(",
            "<T>",
            "my app",
            "my\tapp",
            "my\u{a0}app",
            "my\u{7}app",
        ] {
            assert!(
                refused(&format!("info,{target}=debug")).contains("names no target, because of `"),
                "{target}"
            );
        }
        for target in ["sqlx", "my_app::db::", "my-app", "r#type", "app.db", "db@2", "größe", "a+b", "~", "7"]
        {
            let targets = targets(unset, Some(&format!("{target}=debug"))).expect(target);
            assert!(targets.would_enable(target, &Level::DEBUG), "{target}");
        }
    }

    #[test]
    fn a_bad_format_is_refused_with_the_value_and_what_is_expected() {
        let error = format(set("LOG_FORMAT", "xml"), None).unwrap_err();
        assert_eq!(error.to_string(), "LOG_FORMAT is `xml`; expected `json` or `pretty`");
    }
}
