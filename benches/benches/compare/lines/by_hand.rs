//! The limit: the bytes of our line, formatted by code specialised to them.

use std::io::Write;
use std::time::{Duration, SystemTime};

use super::REQUEST_ID;

/// Digits by two.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut number = 0_u8;
    while number < 100 {
        pairs[number as usize] = [b'0' + number / 10, b'0' + number % 10];
        number += 1;
    }
    pairs
};

/// A buffer for one line, reused for the next.
#[derive(Default)]
pub(super) struct ByHand {
    line: Vec<u8>,
    number: itoa::Buffer,
}

impl ByHand {
    pub(super) fn write_to(&mut self, sink: &mut impl Write, number: u64) {
        self.render(number);
        // It cannot fail; were it to, the limit would only look lower.
        let _ = sink.write_all(&self.line);
    }

    fn render(&mut self, number: u64) {
        self.line.clear();
        self.line.extend_from_slice(b"{\"timestamp\":\"");
        self.line.extend_from_slice(&timestamp(SystemTime::now()));
        self.line.extend_from_slice(
            b"\",\"level\":\"info\",\"logger\":\"compare::lines\",\"event\":\"searching\",\"request_id\":\"",
        );
        self.line.extend_from_slice(REQUEST_ID.as_bytes());
        self.line.extend_from_slice(b"\",\"agent_id\":\"planner\",\"skill_id\":\"web_search\",\"attempt\":");
        self.line.extend_from_slice(self.number.format(number).as_bytes());
        self.line.extend_from_slice(b",\"outcome\":\"found\"}\n");
    }
}

/// Checks that the limit's line equals ours, except for the time.
pub(super) fn expect_alike(line: &str, number: u64) -> Result<(), String> {
    let mut by_hand = ByHand::default();
    by_hand.render(number);
    let by_hand = String::from_utf8_lossy(&by_hand.line);
    let shape = |line: &str| {
        line.chars().take(42).map(|c| if c.is_ascii_digit() { '0' } else { c }).collect::<String>()
    };
    let are_alike = shape(line) == shape(&by_hand) && line.get(42..) == by_hand.get(42..);
    if are_alike { Ok(()) } else { Err(format!("by hand it is {by_hand}and by us {line}")) }
}

/// `2026-03-21T09:30:00.000125Z`; the calendar is that of <https://howardhinnant.github.io/date_algorithms.html>.
fn timestamp(time: SystemTime) -> [u8; 27] {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let (seconds, micros) = (since.as_secs(), since.subsec_micros());
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);

    let mut text = *b"0000-00-00T00:00:00.000000Z";
    let micros = u64::from(micros);
    for (at, number) in [
        (0, year / 100),
        (2, year % 100),
        (5, month),
        (8, day),
        (11, second / 3_600),
        (14, second / 60 % 60),
        (17, second % 60),
        (20, micros / 10_000),
        (22, micros / 100 % 100),
        (24, micros % 100),
    ] {
        text[at..at + 2].copy_from_slice(&PAIRS[(number % 100) as usize]);
    }
    text
}
