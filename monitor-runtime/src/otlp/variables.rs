//! Environment variables, parsed strictly: an invalid one is an error that names it.

use std::str::FromStr;
use std::time::Duration;

use super::error::OtlpError;
use super::signal::Signal;

/// The variables of the process, or of a test.
pub(super) struct Variables<'a>(pub(super) &'a dyn Fn(&str) -> Option<String>);

impl Variables<'_> {
    /// The trimmed value. An empty variable counts as unset, as OpenTelemetry specifies.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        (self.0)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// Parses a variable with `read`; `default` if it is unset.
    pub(super) fn read<T>(
        &self,
        name: &str,
        default: T,
        expected: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, OtlpError> {
        match self.get(name) {
            None => Ok(default),
            Some(value) => read(&value).ok_or_else(|| refused(name, &value, expected)),
        }
    }

    /// Reads a number of at least 1: the variable's, else the builder's by `method`, else `default`.
    pub(super) fn count(
        &self,
        name: &str,
        method: &str,
        given: Option<usize>,
        default: usize,
    ) -> Result<usize, OtlpError> {
        const EXPECTED: &str = "a whole number from 1 on";
        if given == Some(0) {
            return Err(refused(method, "0", EXPECTED));
        }
        self.read(name, given.unwrap_or(default), EXPECTED, positive)
    }

    /// Reads a duration: the variable's in whole milliseconds from 1 on, else the builder's by `method`, else
    /// `default`.
    pub(super) fn duration(
        &self,
        name: &str,
        method: &str,
        given: Option<Duration>,
        default: Duration,
    ) -> Result<Duration, OtlpError> {
        if given.is_some_and(|given| given.is_zero()) {
            return Err(refused(method, "0s", "a longer time, such as 10s"));
        }
        let millis = |value: &str| positive(value).map(Duration::from_millis);
        self.read(name, given.unwrap_or(default), "whole milliseconds from 1 on", millis)
    }

    /// Parses `true` or `false`, in any case.
    pub(super) fn flag(&self, name: &str, default: bool) -> Result<bool, OtlpError> {
        self.read(name, default, "`true` or `false`", |value| value.to_ascii_lowercase().parse().ok())
    }

    /// The variable that holds a setting of a signal: its own if that is set, otherwise the common one.
    pub(super) fn name_for(&self, signal: Signal, setting: &str) -> String {
        let own = format!("OTEL_EXPORTER_OTLP_{}_{setting}", signal.in_variables());
        if self.get(&own).is_some() { own } else { format!("OTEL_EXPORTER_OTLP_{setting}") }
    }

    /// Parses a comma-separated list of percent-encoded `key=value`; empty if the variable is unset.
    pub(super) fn pairs(&self, name: &str) -> Result<Vec<(String, String)>, OtlpError> {
        let list = self.get(name).unwrap_or_default();
        let members = list.split(',').map(str::trim).enumerate().filter(|(_, member)| !member.is_empty());
        let read = members.map(|(at, member)| {
            pair(member).map_err(|wrong| {
                let wrong = format!("member {} {wrong}", at + 1);
                OtlpError::Pairs { variable: name.to_owned(), wrong }
            })
        });
        read.collect()
    }
}

fn positive<T: FromStr + PartialOrd + From<u8>>(value: &str) -> Option<T> {
    value.parse().ok().filter(|number| *number >= T::from(1))
}

fn pair(member: &str) -> Result<(String, String), &'static str> {
    let (key, value) = member.split_once('=').ok_or("has no `=`")?;
    let decoded = |text: &str| {
        let bytes = percent_encoding::percent_decode_str(text.trim());
        bytes.decode_utf8().map(std::borrow::Cow::into_owned).map_err(|_| "is no UTF-8 once it is decoded")
    };
    let (key, value) = (decoded(key)?, decoded(value)?);
    if key.is_empty() { Err("has no key") } else { Ok((key, value)) }
}

pub(super) fn refused(variable: &str, value: &str, expected: &'static str) -> OtlpError {
    OtlpError::Setting { variable: variable.to_owned(), value: value.to_owned(), expected }
}
