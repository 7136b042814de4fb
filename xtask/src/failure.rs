//! Why a run ends before its end.

use std::fmt;
use std::io;
use std::process::ExitStatus;

pub(crate) type Result<T = ()> = std::result::Result<T, Failure>;

#[derive(Debug)]
pub(crate) enum Failure {
    /// A signal with this number asked for it.
    Signal(u8),
    /// A command ended with this status and has said why.
    Command(u8),
    /// One line that says why.
    Message(String),
}

impl Failure {
    pub(crate) fn message(text: impl Into<String>) -> Self {
        Self::Message(text.into())
    }

    /// What a shell would exit with.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Signal(signal) => 128 + signal,
            Self::Command(code) => *code,
            Self::Message(_) => 1,
        }
    }
}

impl From<ExitStatus> for Failure {
    fn from(status: ExitStatus) -> Self {
        Self::Command(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Message(error.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal(signal) => write!(out, "ended by signal {signal}"),
            Self::Command(code) => write!(out, "a command ended with status {code}"),
            Self::Message(text) => out.write_str(text),
        }
    }
}
