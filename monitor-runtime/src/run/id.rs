//! The id of a run.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::LazyLock;

use super::live;
use crate::call::call_id::CallId;

/// The id of a run: 16 bytes, shown as 32 hexadecimal digits.
///
/// If the run belongs to a trace, its id is the trace's id. Otherwise it is random.
///
/// ```
/// use monitor_runtime::run::RunId;
///
/// let id: RunId = "4bf92f3577b34da6a3ce929d0e0e4736".parse()?;
/// assert_eq!(id.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
/// # Ok::<(), monitor_runtime::run::ParseRunIdError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId([u8; 16]);

/// The error of parsing a text that is not a run id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not a run id; a run id has 32 hexadecimal digits, not all of them 0")]
pub struct ParseRunIdError {
    given: String,
}

/// The maximum number of characters of a refused text in the error.
const SHOWN: usize = 64;

impl RunId {
    #[cfg(test)]
    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// The id of a run without a trace: a hash with random keys of the process, hence the same at each call.
    fn of_number(number: NonZeroU32) -> Self {
        static KEYS: LazyLock<[RandomState; 2]> = LazyLock::new(|| [RandomState::new(), RandomState::new()]);
        let [high, low] = [&KEYS[0], &KEYS[1]].map(|key| u128::from(key.hash_one(number)));
        Self((high << 64 | low | 1).to_be_bytes())
    }

    /// The id of a run that goes on.
    pub(crate) fn of_run(number: NonZeroU32) -> Self {
        live::find(number).and_then(live::LiveRun::trace).map_or_else(|| Self::of_number(number), Self)
    }

    /// The id of the run that encloses a call, unless that run is over.
    pub(crate) fn of_call(call: CallId) -> Option<Self> {
        let number = call.run().filter(|run| live::find(*run).is_some())?;
        Some(Self::of_run(number))
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RunId({self})")
    }
}

impl FromStr for RunId {
    type Err = ParseRunIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let parsed = is_hex.then(|| u128::from_str_radix(text, 16).ok()).flatten().filter(|id| *id != 0);
        parsed
            .map(|id| Self(id.to_be_bytes()))
            .ok_or_else(|| ParseRunIdError { given: text.chars().take(SHOWN).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_runs_differ_and_stay() {
        let numbers = || (1..100).filter_map(NonZeroU32::new);
        let ids: std::collections::HashSet<_> = numbers().map(RunId::of_number).collect();
        assert_eq!(ids.len(), 99);
        assert!(numbers().map(RunId::of_number).all(|id| ids.contains(&id)));
    }

    #[test]
    fn a_run_id_has_32_hexadecimal_digits() {
        for wrong in ["", "0", "+bf92f3577b34da6a3ce929d0e0e4736", "00000000000000000000000000000000", "é"] {
            let error = wrong.parse::<RunId>().unwrap_err();
            assert!(error.to_string().starts_with(&format!("`{wrong}` is not a run id; ")), "{error}");
        }
        let long = "x".repeat(1_000).parse::<RunId>().unwrap_err().to_string();
        assert!(long.len() < 200, "{long}");
    }
}
