//! Durations as users write them: a decimal number and a unit.

/// The units of a duration, in nanoseconds. `ms` comes before `s`, since a duration is matched by its suffix.
const UNITS: [(&str, f64); 3] = [("ms", 1e6), ("s", 1e9), ("m", 60e9)];

/// Parses a duration into nanoseconds: at least 1, and less than 10⁹ seconds, which a `u64` holds.
pub(crate) fn parse_nanos(duration: &str) -> Option<u64> {
    const MAX_SECONDS: f64 = 1e9;
    let (number, unit) = UNITS.iter().find_map(|(name, unit)| Some((duration.strip_suffix(name)?, unit)))?;
    let nanos = (number.parse::<f64>().ok().filter(|_| is_decimal(number))? * unit).round();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to lie within u64")]
    (1.0..MAX_SECONDS * 1e9).contains(&nanos).then_some(nanos as u64)
}

/// Whether the text is digits with at most one point. A float could also have a sign or an exponent, or be `inf`.
pub(crate) fn is_decimal(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit())
        && text.chars().all(|char| char.is_ascii_digit() || char == '.')
        && text.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_one_of_three_units() {
        assert_eq!(parse_nanos("250ms"), Some(250_000_000));
        assert_eq!(parse_nanos("1.5s"), Some(1_500_000_000));
        assert_eq!(parse_nanos("2m"), Some(120_000_000_000));
        for wrong in ["2", "s", "2h", "-2s", "+2s", "1e3s", "2 s", "0s", "infs", "1.2.3s", "1000000000s"] {
            assert_eq!(parse_nanos(wrong), None, "{wrong}");
        }
    }
}
