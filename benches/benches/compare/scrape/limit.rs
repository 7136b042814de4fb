//! The limit: writes the bytes of a scrape, with everything but the numbers rendered in advance.

/// The rendered text, and the numbers in between.
pub(super) struct Limit {
    /// Headers, names, labels and bounds, one after the other.
    rendered: Vec<u8>,
    lines: Vec<Line>,
    out: Vec<u8>,
}

/// The end of a piece of the rendered text, and the number after it.
struct Line {
    end: usize,
    value: Value,
}

#[derive(Clone, Copy)]
enum Value {
    Integer(u64),
    /// Nanoseconds, shown as seconds.
    Nanos(u64),
    /// No number: the whole line was rendered in advance, such as a header or a metric of the process.
    Rendered,
}

impl Limit {
    /// Parses a scrape.
    ///
    /// # Panics
    ///
    /// Panics if it does not reproduce that scrape.
    pub(super) fn of(scrape: &str) -> Self {
        let mut limit = Self { rendered: Vec::new(), lines: Vec::new(), out: Vec::new() };
        for line in scrape.split_inclusive('\n') {
            let (start, number) = line.split_at(line.rfind(' ').map_or(line.len(), |space| space + 1));
            let value = if line.starts_with('#') { Value::Rendered } else { Value::read(number.trim_end()) };
            let rendered = if matches!(value, Value::Rendered) { line } else { start };
            limit.rendered.extend_from_slice(rendered.as_bytes());
            limit.lines.push(Line { end: limit.rendered.len(), value });
        }
        assert_eq!(limit.write().len(), scrape.len());
        assert!(limit.out == scrape.as_bytes(), "the limit writes something else");
        limit
    }

    /// Writes the scrape into the buffer of the last one.
    pub(super) fn write(&mut self) -> &[u8] {
        self.out.clear();
        let mut start = 0;
        for line in &self.lines {
            self.out.extend_from_slice(&self.rendered[start..line.end]);
            start = line.end;
            match line.value {
                Value::Integer(value) => integer(&mut self.out, value),
                Value::Nanos(nanos) => seconds(&mut self.out, nanos),
                Value::Rendered => continue,
            }
            self.out.push(b'\n');
        }
        &self.out
    }
}

impl Value {
    fn read(number: &str) -> Self {
        if let Ok(integer) = number.parse() {
            return Self::Integer(integer);
        }
        let Some((seconds, fraction)) = number.split_once('.') else { return Self::Rendered };
        match (seconds.parse::<u64>(), format!("{fraction:0<9}").parse::<u64>()) {
            (Ok(seconds), Ok(nanos)) if fraction.len() <= 9 => Self::Nanos(seconds * 1_000_000_000 + nanos),
            _ => Self::Rendered,
        }
    }
}

fn integer(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

fn seconds(out: &mut Vec<u8>, nanos: u64) {
    integer(out, nanos / 1_000_000_000);
    out.push(b'.');
    // Nine digits behind a one keep their leading zeros.
    let mut buffer = itoa::Buffer::new();
    let fraction = &buffer.format(1_000_000_000 + nanos % 1_000_000_000)[1..];
    out.extend_from_slice(fraction.trim_end_matches('0').as_bytes());
}
