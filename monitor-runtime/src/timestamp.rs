//! Timestamps by RFC 3339 in UTC, with microseconds. The text of a second is cached.

use std::time::{Duration, SystemTime};

const SECONDS_A_DAY: u64 = 86_400;

/// Writes timestamps, and caches the text of the last second.
#[derive(Debug)]
pub(crate) struct Timestamps {
    second: u64,
    text: [u8; 19],
}

impl Default for Timestamps {
    fn default() -> Self {
        Self { second: 0, text: *b"1970-01-01T00:00:00" }
    }
}

impl Timestamps {
    /// Appends the current time, such as `2026-03-21T09:30:00.000125Z`.
    pub(crate) fn write_now(&mut self, out: &mut Vec<u8>) {
        // A clock before 1970 is broken; the line matters more than its time.
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.write(out, since_1970);
    }

    fn write(&mut self, out: &mut Vec<u8>, since_1970: Duration) {
        if since_1970.as_secs() != self.second {
            self.second = since_1970.as_secs();
            self.text = second_text(self.second);
        }
        let micros = since_1970.subsec_micros();
        let mut fraction = *b".000000Z";
        fraction[1..3].copy_from_slice(&two_digits(micros / 10_000));
        fraction[3..5].copy_from_slice(&two_digits(micros / 100 % 100));
        fraction[5..7].copy_from_slice(&two_digits(micros % 100));
        out.extend_from_slice(&self.text);
        out.extend_from_slice(&fraction);
    }
}

fn second_text(second: u64) -> [u8; 19] {
    let (year, month, day) = civil_date(second / SECONDS_A_DAY);
    #[allow(clippy::cast_possible_truncation, reason = "the remainder is below 86,400")]
    let of_day = (second % SECONDS_A_DAY) as u32;
    let mut text = *b"0000-00-00T00:00:00";
    write_digits(&mut text[..4], year);
    write_digits(&mut text[5..7], month);
    write_digits(&mut text[8..10], day);
    write_digits(&mut text[11..13], of_day / 3_600);
    write_digits(&mut text[14..16], of_day / 60 % 60);
    write_digits(&mut text[17..], of_day % 60);
    text
}

/// The two digits of a number below 100.
#[inline]
fn two_digits(number: u32) -> [u8; 2] {
    let [tens, ones] = [number / 10, number % 10].map(|digit| u8::try_from(digit).unwrap_or(0));
    [b'0' + tens, b'0' + ones]
}

/// Fills `place` with the last digits of `number`.
fn write_digits(place: &mut [u8], mut number: u32) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
}

/// Year, month and day of a day counted from 1970-01-01: Howard Hinnant's `civil_from_days`
/// (<https://howardhinnant.github.io/date_algorithms.html>), for days that are not negative.
#[allow(
    clippy::cast_possible_truncation,
    reason = "month and day are small, and years beyond 9999 are cut anyway"
)]
const fn civil_date(day: u64) -> (u32, u32, u32) {
    const DAYS_AN_ERA: u64 = 146_097;
    // The algorithm's years begin in March, so that the leap day is the last day of a year.
    let shifted = day + 719_468;
    let (era, of_era) = (shifted / DAYS_AN_ERA, shifted % DAYS_AN_ERA);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day_of_month = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + (month <= 2) as u64;
    (year as u32, month as u32, day_of_month as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(timestamps: &mut Timestamps, seconds: u64, micros: u64) -> String {
        let mut out = Vec::new();
        timestamps.write(&mut out, Duration::from_secs(seconds) + Duration::from_micros(micros));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_time_is_written_in_utc_to_the_microsecond() {
        let cases = [
            (0, 0, "1970-01-01T00:00:00.000000Z"),
            (951_782_399, 999_999, "2000-02-28T23:59:59.999999Z"),
            (951_782_400, 1, "2000-02-29T00:00:00.000001Z"),
            (1_709_164_800, 0, "2024-02-29T00:00:00.000000Z"),
            (1_735_689_599, 120_000, "2024-12-31T23:59:59.120000Z"),
            (4_107_542_400, 0, "2100-03-01T00:00:00.000000Z"),
            (253_402_300_799, 0, "9999-12-31T23:59:59.000000Z"),
        ];
        for (seconds, micros, expected) in cases {
            assert_eq!(written(&mut Timestamps::default(), seconds, micros), expected);
        }
    }

    #[test]
    fn the_kept_second_gives_way_to_another_one_also_backwards() {
        let mut timestamps = Timestamps::default();
        assert_eq!(written(&mut timestamps, 1_000_000_000, 1), "2001-09-09T01:46:40.000001Z");
        assert_eq!(written(&mut timestamps, 1_000_000_000, 2), "2001-09-09T01:46:40.000002Z");
        assert_eq!(written(&mut timestamps, 1_000_000_001, 0), "2001-09-09T01:46:41.000000Z");
        assert_eq!(written(&mut timestamps, 999_999_999, 0), "2001-09-09T01:46:39.000000Z");
    }

    #[test]
    fn every_day_follows_the_one_before_it() {
        let mut before = civil_date(0);
        for day in 1..200_000 {
            let (year, month, of_month) = civil_date(day);
            let next_day = (year, month) == (before.0, before.1) && of_month == before.2 + 1;
            let next_month = year == before.0 && month == before.1 + 1 && of_month == 1;
            let next_year = year == before.0 + 1 && (month, of_month) == (1, 1) && before.1 == 12;
            assert!(
                (next_day || next_month || next_year) && before.2 <= 31,
                "{before:?} then {:?}",
                civil_date(day)
            );
            before = (year, month, of_month);
        }
    }
}
