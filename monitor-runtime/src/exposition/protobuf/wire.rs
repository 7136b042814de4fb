//! The part of the protocol buffers wire format that metrics need.
//! <https://protobuf.dev/programming-guides/encoding/>

const VARINT: u64 = 0;
const FIXED_64: u64 = 1;
const LENGTH_DELIMITED: u64 = 2;

/// A message being written at the end of a buffer. Fields with default values are written too: all readers accept them,
/// and some distinguish an absent field from 0.
pub(crate) struct Message<'o>(&'o mut Vec<u8>);

impl Message<'_> {
    /// A `uint32`, a `uint64` or an `enum`.
    pub(crate) fn unsigned(&mut self, field: u64, value: u64) {
        self.tag(field, VARINT);
        varint(self.0, value);
    }

    /// An `int64` or an `int32`.
    pub(crate) fn signed(&mut self, field: u64, value: i64) {
        self.unsigned(field, bits(value));
    }

    /// A `sint64` or a `sint32`: numbers near 0 are short, whatever their sign.
    pub(crate) fn zigzag(&mut self, field: u64, value: i64) {
        self.unsigned(field, bits(value << 1 ^ value >> 63));
    }

    /// A `double`.
    pub(crate) fn double(&mut self, field: u64, value: f64) {
        self.tag(field, FIXED_64);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// A `string`.
    pub(crate) fn text(&mut self, field: u64, value: &str) {
        self.tag(field, LENGTH_DELIMITED);
        varint(self.0, value.len() as u64);
        self.0.extend_from_slice(value.as_bytes());
    }

    /// A message inside this one.
    pub(crate) fn nested(&mut self, field: u64, write: impl FnOnce(&mut Message<'_>)) {
        self.tag(field, LENGTH_DELIMITED);
        delimited(self.0, write);
    }

    fn tag(&mut self, field: u64, kind: u64) {
        varint(self.0, field << 3 | kind);
    }
}

/// The bits of a number. A negative one is written as its two's complement.
fn bits(value: i64) -> u64 {
    u64::from_ne_bytes(value.to_ne_bytes())
}

/// Appends a message with its length in front. The length is known only afterwards, so it is written behind and rotated
/// to the front.
pub(crate) fn delimited(out: &mut Vec<u8>, write: impl FnOnce(&mut Message<'_>)) {
    let start = out.len();
    write(&mut Message(out));
    let end = out.len();
    varint(out, (end - start) as u64);
    let length = out.len() - end;
    out[start..].rotate_right(length);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(lowest_byte(value) | 0x80);
        value >>= 7;
    }
    out.push(lowest_byte(value));
}

fn lowest_byte(value: u64) -> u8 {
    value.to_le_bytes()[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Message<'_>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut Message(&mut out));
        out
    }

    /// The examples from the encoding's documentation.
    #[test]
    fn the_documented_examples_come_out() {
        assert_eq!(written(|message| message.unsigned(1, 150)), [0x08, 0x96, 0x01]);
        let text = [0x12, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6e, 0x67];
        assert_eq!(written(|message| message.text(2, "testing")), text);
        let nested = [0x1a, 0x03, 0x08, 0x96, 0x01];
        assert_eq!(written(|message| message.nested(3, |inner| inner.unsigned(1, 150))), nested);
    }

    #[test]
    fn numbers_below_zero_take_ten_bytes() {
        let bytes = written(|message| message.signed(1, -2));
        assert_eq!(bytes, [8, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]);
    }

    #[test]
    fn numbers_near_0_are_short_whatever_their_sign() {
        let numbers = [(0, 0), (-1, 1), (1, 2), (-2, 3), (63, 126), (-64, 127)];
        for (value, byte) in numbers {
            assert_eq!(written(|message| message.zigzag(1, value)), [8, byte], "{value}");
        }
        assert_eq!(written(|message| message.zigzag(1, i64::MIN)).len(), 11);
    }

    #[test]
    fn a_double_is_its_bits_from_the_least() {
        assert_eq!(written(|message| message.double(1, 1.0)), [9, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
    }

    #[test]
    fn a_long_message_has_a_long_length_before_it() {
        let mut out = vec![7];
        delimited(&mut out, |message| message.text(1, &"x".repeat(200)));
        assert_eq!(out[..6], [7, 0xcb, 0x01, 0x0a, 0xc8, 0x01]);
        assert_eq!(out.len(), 6 + 200);
    }
}
