//! Numbers as the text formats write them.

/// Formats the value of a sample.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "compared with the input")]
pub(crate) fn plain(number: f64) -> String {
    if number.is_infinite() {
        return if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    // Most values are small counts, which `itoa` writes several times faster.
    let whole = number as u32;
    if f64::from(whole) == number && number.is_sign_positive() {
        return itoa::Buffer::new().format(whole).to_owned();
    }
    number.to_string()
}

/// Formats the value of a label `le` or `quantile` as OpenMetrics requires: like Go's `%g`, and always recognizable as
/// a float. One spelling for each number keeps a bound in one series, no matter which process or library wrote it.
pub(crate) fn canonical(number: f64) -> String {
    if !number.is_finite() || number == 0.0 {
        return if number == 0.0 { "0.0".to_owned() } else { plain(number) };
    }
    let scientific = format!("{number:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>() {
        Ok(exponent) if !(-4..6).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
        }
        // `{:?}` always writes a decimal point.
        _ => format!("{number:?}"),
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn bounds_have_the_one_form_that_the_specification_lists() {
        let listed = "0.0 0.001 0.002 0.01 0.1 0.9 0.95 0.99 0.999 1.0 1.7 10.0 1e-10 1e-09 1e-05 0.0001 100.0 1000.0 \
                      10000.0 100000.0 1e+06 1e+10 1.5e+06 123456.0 1.234567e+06 +Inf -Inf NaN -2.5";
        for form in listed.split(' ') {
            assert_eq!(canonical(form.parse().unwrap()), form);
        }
    }

    #[test]
    fn values_may_be_infinite_or_no_number() {
        assert_eq!([1.0, 0.1, f64::INFINITY, f64::NEG_INFINITY].map(plain), ["1", "0.1", "+Inf", "-Inf"]);
        assert_eq!(plain(f64::NAN), "NaN");
        let bounds = [0.0, -0.0, -1.0, 4_294_967_295.0, 4_294_967_296.0, 1e15];
        assert_eq!(bounds.map(plain), ["0", "-0", "-1", "4294967295", "4294967296", "1000000000000000"]);
    }
}
