//! The events of a call, encoded as the words of a record of a [`Ring`](super::ring::Ring).
//!
//! ```text
//! word     begin                       first item       end
//! 0        id of the call              id               id
//! 1        id of the call around it    nanoseconds      nanoseconds
//! 2        start, in ticks             –                waiting, in ticks
//! 3        number of the series        –                items
//! 4        0 | kind                    1                2 | outcome
//! ```
//!
//! A judgement has the id alone, and 3 in word 4. A withdrawal has the id alone, and 4.

use super::growing::Begin;
use super::ring::Record;
use crate::call::call_id::CallId;
use crate::families::call_series::CallSeries;
use crate::families::{CallKind, Outcome};

/// An event of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Begin {
        id: CallId,
        parent: CallId,
        ticks: u64,
        kind: CallKind,
        series: u32,
    },
    FirstItem {
        id: CallId,
        nanos: u64,
    },
    End {
        id: CallId,
        nanos: u64,
        waited: u64,
        items: u32,
        outcome: Outcome,
    },
    /// The call's value was judged to be an error.
    Judged {
        id: CallId,
    },
    /// The call was taken back, as if it had not begun.
    Withdrawn {
        id: CallId,
    },
}

const BEGIN: u64 = 0;
const FIRST_ITEM: u64 = 1;
const END: u64 = 2;
const JUDGED: u64 = 3;
const WITHDRAWN: u64 = 4;

impl Event {
    #[inline]
    pub(crate) fn encode(self) -> Record {
        match self {
            Self::Begin { id, parent, ticks, kind, series } => {
                [id.bits(), parent.bits(), ticks, u64::from(series), BEGIN | (kind as u64) << 8]
            }
            Self::FirstItem { id, nanos } => [id.bits(), nanos, 0, 0, FIRST_ITEM],
            Self::Judged { id } => [id.bits(), 0, 0, 0, JUDGED],
            Self::Withdrawn { id } => [id.bits(), 0, 0, 0, WITHDRAWN],
            Self::End { id, nanos, waited, items, outcome } => {
                [id.bits(), nanos, waited, u64::from(items), END | (outcome as u64) << 8]
            }
        }
    }

    /// The event of a record. `None` for words that encode no event.
    pub(crate) fn decode(record: Record) -> Option<Self> {
        let [id, second, third, fourth, tag] = record;
        let id = CallId::from_bits(id);
        let fourth = u32::try_from(fourth).ok()?;
        let choice = usize::try_from(tag >> 8).ok()?;
        match tag & 0xff {
            BEGIN => Some(Self::Begin {
                id,
                parent: CallId::from_bits(second),
                ticks: third,
                kind: *CallKind::ALL.get(choice)?,
                series: fourth,
            }),
            FIRST_ITEM => Some(Self::FirstItem { id, nanos: second }),
            JUDGED => Some(Self::Judged { id }),
            WITHDRAWN => Some(Self::Withdrawn { id }),
            END => Some(Self::End {
                id,
                nanos: second,
                waited: third,
                items: fourth,
                outcome: *Outcome::ALL.get(choice)?,
            }),
            _ => None,
        }
    }

    /// Orders begins by time, and all other events after them. Of two calls that began in the same tick, the one with the lower
    /// number is the earlier, if both are of one thread.
    pub(crate) fn order(self) -> (u64, u32) {
        match self {
            Self::Begin { id, ticks, .. } => (ticks.min(u64::MAX - 1), id.number()),
            _ => (u64::MAX, 0),
        }
    }

    /// The begin of a call, if the event is one.
    pub(super) fn begin(self) -> Option<Begin> {
        let Self::Begin { id, parent, ticks, kind, series } = self else { return None };
        Some(Begin { id, parent, ticks, kind, series: CallSeries::numbered(series)? })
    }

    pub(crate) fn id(self) -> CallId {
        match self {
            Self::Begin { id, .. }
            | Self::FirstItem { id, .. }
            | Self::End { id, .. }
            | Self::Judged { id }
            | Self::Withdrawn { id } => id,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_is_decoded_as_it_was_encoded() {
        let (id, parent) = (CallId::followed(7, u32::MAX), CallId::NONE);
        for kind in CallKind::ALL {
            let event = Event::Begin { id, parent, ticks: u64::MAX, kind, series: 3 };
            assert_eq!(Event::decode(event.encode()), Some(event));
        }
        for outcome in Outcome::ALL {
            let event = Event::End { id, nanos: 1, waited: u64::MAX, items: 2, outcome };
            assert_eq!(Event::decode(event.encode()), Some(event));
        }
        for event in
            [Event::FirstItem { id: parent, nanos: 9 }, Event::Judged { id }, Event::Withdrawn { id }]
        {
            assert_eq!(Event::decode(event.encode()), Some(event));
        }
    }

    #[test]
    fn words_of_no_event_are_refused() {
        for tag in [5, 0xff, BEGIN | 9 << 8, END | 4 << 8] {
            assert_eq!(Event::decode([1, 1, 1, 1, tag]), None, "{tag:x}");
        }
    }
}
