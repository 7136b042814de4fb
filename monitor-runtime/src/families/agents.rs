//! Numbers of agents, so that a few bits can name one.

use std::sync::{PoisonError, RwLock};

use crate::cells::labels::OVERFLOW;

/// The ids, by number less one.
static IDS: RwLock<Vec<&'static str>> = RwLock::new(Vec::new());

/// The place of the number among the bits of a call's id.
pub(crate) const SHIFT: u32 = 1;
/// The bits of the number.
pub(crate) const MASK: u32 = (u16::MAX as u32) << SHIFT;

/// The number in the bits of a call's id.
#[expect(clippy::cast_possible_truncation, reason = "the mask leaves 16 bits")]
#[inline]
pub(crate) fn number_in(bits: u64) -> u16 {
    ((bits & u64::from(MASK)) >> SHIFT) as u16
}

/// The number of all agents after the first 65,534, of which there are some only under such a series limit.
const OTHERS: u16 = u16::MAX;

/// Gives an agent its number, never 0. Each agent must be registered once only.
pub(crate) fn register(id: &str) -> u16 {
    let mut ids = IDS.write().unwrap_or_else(PoisonError::into_inner);
    match u16::try_from(ids.len() + 1) {
        Ok(number) if number < OTHERS => {
            // As its series, it lives as long as the process.
            ids.push(Box::leak(id.into()));
            number
        }
        _ => OTHERS,
    }
}

/// The id of the agent with this number; empty for 0.
pub(crate) fn id(number: u16) -> &'static str {
    let Some(place) = number.checked_sub(1) else { return "" };
    let ids = IDS.read().unwrap_or_else(PoisonError::into_inner);
    ids.get(usize::from(place)).copied().unwrap_or(OVERFLOW)
}
