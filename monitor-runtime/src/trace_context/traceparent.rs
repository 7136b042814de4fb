//! A strict parser of the header `traceparent`: version, trace id, parent id and flags in lower-case hexadecimal
//! digits.

use std::ops::Range;

/// Length of version 00, and minimum length of any later version.
pub(super) const HEADER: usize = 55;

const VERSION: Range<usize> = 0..2;
pub(super) const TRACE_ID: Range<usize> = 3..35;
pub(super) const PARENT_ID: Range<usize> = 36..52;
const FLAGS: Range<usize> = 53..55;
/// The digit whose lowest bit is set if the caller records the trace; all other bits are reserved.
pub(super) const SAMPLED: usize = 54;

/// Parses a header of any version, and converts it to version 00.
pub(super) fn parse(header: &[u8]) -> Option<[u8; HEADER]> {
    let known: &[u8; HEADER] = header.first_chunk()?;
    let is_hex =
        |part: Range<usize>| known[part].iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let is_set = |id: Range<usize>| known[id].iter().any(|&digit| digit != b'0');
    let is_good = [VERSION, TRACE_ID, PARENT_ID, FLAGS].into_iter().all(is_hex)
        && [2, 35, 52].iter().all(|&at| known[at] == b'-')
        && has_known_length(header)
        && is_set(TRACE_ID)
        && is_set(PARENT_ID);
    is_good.then(|| normalised(*known))
}

/// Version 00 ends after the flags. A later version may continue after another dash; `ff` is invalid forever.
fn has_known_length(header: &[u8]) -> bool {
    match &header[VERSION] {
        b"00" => header.len() == HEADER,
        b"ff" => false,
        _ => header.get(HEADER).is_none_or(|&next| next == b'-'),
    }
}

/// Sets the version to 00, and clears the flags that version 00 does not define.
fn normalised(mut header: [u8; HEADER]) -> [u8; HEADER] {
    let is_sampled = char::from(header[SAMPLED]).to_digit(16).is_some_and(|flags| flags % 2 == 1);
    header[VERSION].copy_from_slice(b"00");
    header[FLAGS].copy_from_slice(if is_sampled { b"01" } else { b"00" });
    header
}

/// Writes each byte as two digits.
pub(super) fn write_hex(digits: &mut [u8], bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (pair, &byte) in digits.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 0xf)]]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const PARENT: &str = "00f067aa0ba902b7";

    fn read(header: &str) -> Option<String> {
        parse(header.as_bytes()).map(|header| String::from_utf8(header.to_vec()).unwrap())
    }

    fn of(version: &str, flags: &str) -> String {
        format!("{version}-{TRACE}-{PARENT}-{flags}")
    }

    #[test]
    fn a_header_of_version_00_is_read_as_it_stands() {
        for flags in ["00", "01"] {
            assert_eq!(read(&of("00", flags)), Some(of("00", flags)));
        }
    }

    #[test]
    fn of_the_flags_only_the_lowest_bit_is_kept() {
        for (flags, kept) in [("02", "00"), ("03", "01"), ("fe", "00"), ("ff", "01"), ("10", "00")] {
            assert_eq!(read(&of("00", flags)), Some(of("00", kept)), "{flags}");
        }
    }

    #[test]
    fn version_00_has_exactly_55_bytes() {
        let header = of("00", "01");
        assert_eq!(read(&header[..54]), None);
        assert_eq!(read(&format!("{header}-")), None);
        assert_eq!(read(&format!("{header}-more")), None);
        assert_eq!(read(&format!("{header}0")), None);
        assert_eq!(read(&format!("{header} ")), None);
        assert_eq!(read(&format!(" {header}")), None);
        assert_eq!(read(""), None);
    }

    #[test]
    fn of_a_version_to_come_the_known_part_is_read() {
        for version in ["01", "0a", "cc", "fe"] {
            assert_eq!(read(&of(version, "01")), Some(of("00", "01")), "{version}");
            assert_eq!(
                read(&format!("{}-what-is-new", of(version, "01"))),
                Some(of("00", "01")),
                "{version}"
            );
            assert_eq!(read(&format!("{}-", of(version, "01"))), Some(of("00", "01")), "{version}");
            assert_eq!(read(&format!("{}.", of(version, "01"))), None, "{version}");
            assert_eq!(read(&format!("{}0", of(version, "01"))), None, "{version}");
            assert_eq!(read(&of(version, "01")[..54]), None, "{version}");
        }
    }

    #[test]
    fn version_ff_is_none() {
        assert_eq!(read(&of("ff", "01")), None);
        assert_eq!(read(&format!("{}-more", of("ff", "01"))), None);
    }

    #[test]
    fn ids_of_zeros_alone_are_none() {
        let (no_trace, no_parent) = ("0".repeat(32), "0".repeat(16));
        assert_eq!(read(&format!("00-{no_trace}-{PARENT}-01")), None);
        assert_eq!(read(&format!("00-{TRACE}-{no_parent}-01")), None);
        assert_eq!(read(&format!("01-{no_trace}-{PARENT}-01")), None);
        let (least_trace, least_parent) = (format!("{}1", &no_trace[1..]), format!("{}1", &no_parent[1..]));
        assert!(read(&format!("00-{least_trace}-{least_parent}-01")).is_some());
    }

    #[test]
    fn digits_are_lower_case_and_hexadecimal_wherever_they_stand() {
        let header = of("00", "01");
        let digits = (0..HEADER).filter(|at| ![2, 35, 52].contains(at));
        for at in digits {
            for wrong in ["A", "F", "g", "-", " ", "/", ":", "`"] {
                let mut header = header.clone();
                header.replace_range(at..=at, wrong);
                assert_eq!(read(&header), None, "{header}");
            }
        }
        assert_eq!(read(&header.to_uppercase()), None);
        assert_eq!(read(&of("0A", "01")), None);
    }

    #[test]
    fn parts_are_parted_by_dashes_at_their_places() {
        for at in [2, 35, 52] {
            for wrong in ["_", "0", " "] {
                let mut header = of("00", "01");
                header.replace_range(at..=at, wrong);
                assert_eq!(read(&header), None, "{header}");
            }
        }
        assert_eq!(read(&format!("00-{}-{PARENT}-01", &TRACE[1..])), None);
        assert_eq!(read(&format!("00-{TRACE}-{}-01", &PARENT[1..])), None);
        assert_eq!(read(&format!("0-{TRACE}-{PARENT}-010")), None);
    }

    #[test]
    fn a_header_with_a_letter_outside_of_ascii_is_ignored() {
        for at in 0..HEADER {
            let mut header = of("00", "01");
            header.replace_range(at..=at, "ä");
            assert_eq!(read(&header), None, "{header}");
        }
    }
}
