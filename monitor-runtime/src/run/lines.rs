//! Log lines as the outlet took them, after redaction: the last ones of the process, and some of each run.
//!
//! ```text
//! a thread that logs                      the thread `monitor-runs`
//! ──────────────────                      ─────────────────────────
//! line ──┬─► tail: the last 2,000
//!        └─► waiting, if it is in a run ──► lines of the run
//! ```
//!
//! Both are bounded by bytes. A thread that logs holds the lock for two pushes. It waits for a reader at most as long as that
//! copies 2,000 pointers.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::id::RunId;
use super::text::shortened;
use crate::call::call_id::CallId;
use crate::families::process::LEVELS;

/// The maximum number of lines in the tail.
const MOST_IN_TAIL: usize = 2_000;

/// The maximum size of a message, and that of all fields of a line, in bytes.
const MOST_TEXT_BYTES: usize = 4_096;

/// The lines of a run: the first ones, the last ones, and severe ones between.
const FIRST: usize = 20;
const LAST: usize = 100;
const SEVERE: usize = 80;
const MOST_RUN_BYTES: usize = 64 << 10;

/// The rank of `warn`; severe lines have at most this.
const WARN: u8 = 1;

/// A log line.
pub(crate) struct LogLine {
    /// The place among all lines that were kept, from 1 on.
    number: u64,
    time: SystemTime,
    /// The rank of the level, 0 for `error`.
    level: u8,
    call: CallId,
    run: Option<RunId>,
    /// Logger, message, and the fields as a JSON object.
    text: Box<str>,
    ends: [usize; 2],
}

impl LogLine {
    /// Copies a line that is being written. `fields` are rendered as `,"name":value` each.
    pub(crate) fn new<'f>(
        level: usize,
        logger: &str,
        message: &str,
        fields: impl Iterator<Item = &'f [u8]>,
    ) -> Self {
        let call = CallId::current();
        let logger = shortened(logger, MOST_TEXT_BYTES);
        let message = shortened(message, MOST_TEXT_BYTES);
        let mut text = String::with_capacity(logger.len() + message.len() + 64);
        text.push_str(&logger);
        text.push_str(&message);
        let ends = [logger.len(), text.len()];
        text.push('{');
        for field in fields.filter_map(|field| std::str::from_utf8(field).ok()) {
            // The run is known without its field.
            let is_room = text.len() - ends[1] + field.len() < MOST_TEXT_BYTES;
            if is_room && !field.starts_with(",\"run_id\":") {
                let is_first = text.len() == ends[1] + 1;
                text.push_str(if is_first { field.trim_start_matches(',') } else { field });
            }
        }
        text.push('}');
        let level = u8::try_from(level).unwrap_or(u8::MAX);
        Self {
            number: 0,
            time: SystemTime::now(),
            level,
            call,
            run: RunId::of_call(call),
            text: text.into(),
            ends,
        }
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn time(&self) -> SystemTime {
        self.time
    }

    /// The rank of the level: 0 for `error`, 4 for `trace`.
    pub(crate) fn rank(&self) -> usize {
        usize::from(self.level)
    }

    pub(crate) fn level(&self) -> &'static str {
        LEVELS.get(self.rank()).copied().unwrap_or("trace")
    }

    pub(crate) fn logger(&self) -> &str {
        &self.text[..self.ends[0]]
    }

    pub(crate) fn message(&self) -> &str {
        &self.text[self.ends[0]..self.ends[1]]
    }

    /// The fields as a JSON object.
    pub(crate) fn fields(&self) -> &str {
        &self.text[self.ends[1]..]
    }

    pub(crate) fn run(&self) -> Option<RunId> {
        self.run
    }

    pub(super) fn call(&self) -> CallId {
        self.call
    }

    /// Whether logger, message or fields have this text, which is in lower case.
    pub(crate) fn has(&self, lower: &str) -> bool {
        [self.logger(), self.message(), self.fields()].iter().any(|text| text.to_lowercase().contains(lower))
    }

    fn is_severe(&self) -> bool {
        self.level <= WARN
    }

    /// The bytes of the line and of the counts of its `Arc`.
    fn bytes(&self) -> usize {
        size_of::<Self>() + 2 * size_of::<usize>() + self.text.len()
    }
}

impl fmt::Debug for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.level(), self.logger(), self.message())
    }
}

/// A log line of a run, as [`Run::lines`](super::Run::lines) returns it.
#[derive(Clone)]
pub struct Line {
    pub(super) line: Arc<LogLine>,
    pub(super) node: Option<u32>,
}

impl Line {
    /// Returns the time at which the line was written.
    pub fn time(&self) -> SystemTime {
        self.line.time()
    }

    /// Returns the level: `error`, `warn`, `info`, `debug` or `trace`.
    pub fn level(&self) -> &'static str {
        self.line.level()
    }

    /// Returns the target.
    pub fn logger(&self) -> &str {
        self.line.logger()
    }

    /// Returns the message after redaction, cut after 4,096 bytes.
    pub fn message(&self) -> &str {
        self.line.message()
    }

    /// Returns the other fields after redaction, as a JSON object. Those beyond 4,096 bytes are left out.
    pub fn fields(&self) -> &str {
        self.line.fields()
    }

    /// Returns the place of the enclosing call among the [nodes](super::Run::nodes). `None` if that call has no node.
    pub fn node(&self) -> Option<usize> {
        self.node.map(|node| node as usize)
    }

    pub(crate) fn line(&self) -> &Arc<LogLine> {
        &self.line
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.line.fmt(f)
    }
}

/// The lines of the process.
#[derive(Debug)]
pub(super) struct Lines {
    state: Mutex<State>,
    /// The maximum bytes of the tail, and of the lines that wait.
    most_bytes: [usize; 2],
}

#[derive(Debug, Default)]
struct State {
    tail: VecDeque<Arc<LogLine>>,
    tail_bytes: usize,
    /// Lines of runs since the last look.
    waiting: Vec<Arc<LogLine>>,
    waiting_bytes: usize,
    /// All lines so far.
    count: u64,
    /// Lines of runs that found no room.
    lost: u64,
}

impl Lines {
    pub(super) fn new(tail: usize, waiting: usize) -> Self {
        Self { state: Mutex::default(), most_bytes: [tail, waiting] }
    }

    /// Keeps a line. Returns whether those that wait have just filled half of their room.
    pub(super) fn keep(&self, line: LogLine) -> bool {
        let (bytes, is_of_run) = (line.bytes(), line.call.run().is_some());
        let mut line = Arc::new(line);
        let [most_of_tail, most_waiting] = self.most_bytes;
        let mut state = self.lock();
        state.count += 1;
        if let Some(line) = Arc::get_mut(&mut line) {
            line.number = state.count;
        }
        let mut is_filling = false;
        if is_of_run {
            let before = state.waiting_bytes;
            if before + bytes > most_waiting {
                state.lost += 1;
            } else {
                state.waiting_bytes += bytes;
                state.waiting.push(Arc::clone(&line));
                is_filling = before < most_waiting / 2 && before + bytes >= most_waiting / 2;
            }
        }
        state.tail_bytes += bytes;
        state.tail.push_back(line);
        while state.tail.len() > MOST_IN_TAIL || state.tail_bytes > most_of_tail {
            let Some(oldest) = state.tail.pop_front() else { break };
            state.tail_bytes -= oldest.bytes();
        }
        is_filling
    }

    /// Takes the lines that wait for their runs.
    pub(super) fn take(&self) -> Vec<Arc<LogLine>> {
        let mut state = self.lock();
        state.waiting_bytes = 0;
        std::mem::take(&mut state.waiting)
    }

    /// The last lines after this number that match, the newest last; at most this many.
    pub(super) fn tail(
        &self,
        after: u64,
        most: usize,
        takes: impl Fn(&LogLine) -> bool,
    ) -> Vec<Arc<LogLine>> {
        // Copied first, so that a thread that logs never waits for a match.
        let tail: Vec<_> = self.lock().tail.iter().cloned().collect();
        let newest_first = tail.into_iter().rev().take_while(|line| line.number > after);
        let mut found: Vec<_> = newest_first.filter(|line| takes(line)).take(most).collect();
        found.reverse();
        found
    }

    /// The bytes that the tail takes or may take, once there is a line.
    pub(super) fn reserved(&self) -> usize {
        if self.lock().count > 0 { self.most_bytes[0] } else { 0 }
    }

    /// The number of lines in the tail and their bytes, and the lines of runs that were lost.
    pub(super) fn figures(&self) -> (usize, usize, u64) {
        let state = self.lock();
        (state.tail.len(), state.tail_bytes, state.lost)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The lines of one run so far.
#[derive(Clone, Debug, Default)]
pub(super) struct RunLines {
    first: Vec<Line>,
    severe: Vec<Line>,
    last: VecDeque<Line>,
    bytes: usize,
    left_out: u64,
}

/// Bytes of an entry of a list.
const ENTRY_BYTES: usize = size_of::<Line>();

impl RunLines {
    /// Adds a line, which may push out an earlier one.
    pub(super) fn add(&mut self, line: Line) {
        self.bytes += line.line.bytes() + ENTRY_BYTES;
        if self.first.len() < FIRST && self.last.is_empty() {
            self.first.push(line);
        } else {
            self.last.push_back(line);
        }
        while self.last.len() > LAST {
            self.push_out_oldest();
        }
        while self.bytes > MOST_RUN_BYTES {
            if !self.last.is_empty() {
                self.push_out_oldest();
            } else if let Some(line) = self.severe.pop().or_else(|| self.first.pop()) {
                self.leave_out(&line);
            } else {
                break;
            }
        }
    }

    /// Counts a line for which there is no room.
    pub(super) fn refuse(&mut self) {
        self.left_out += 1;
    }

    fn push_out_oldest(&mut self) {
        match self.last.pop_front() {
            Some(line) if line.line.is_severe() && self.has_room_for_severe(&line) => self.severe.push(line),
            Some(line) => self.leave_out(&line),
            None => {}
        }
    }

    /// Severe lines take at most half of the bytes, so that the last lines are never all pushed out by them.
    fn has_room_for_severe(&self, line: &Line) -> bool {
        self.severe.len() < SEVERE
            && bytes_of(&self.severe) + line.line.bytes() + ENTRY_BYTES <= MOST_RUN_BYTES / 2
    }

    fn leave_out(&mut self, line: &Line) {
        self.bytes -= line.line.bytes() + ENTRY_BYTES;
        self.left_out += 1;
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The lines in the order of their time, and the number of those left out.
    pub(super) fn into_parts(self) -> (Vec<Line>, u64) {
        let mut lines = self.first;
        lines.extend(self.severe);
        lines.extend(self.last);
        lines.shrink_to_fit();
        (lines, self.left_out)
    }
}

/// The bytes of the lines of a run.
pub(super) fn bytes_of(lines: &[Line]) -> usize {
    lines.iter().map(|line| line.line.bytes() + ENTRY_BYTES).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(level: usize, message: &str) -> LogLine {
        LogLine::new(
            level,
            "test",
            message,
            [&b",\"a\":1"[..], b",\"run_id\":\"7\"", b",\"b\":2"].into_iter(),
        )
    }

    fn of_run(level: usize, message: &str) -> Line {
        Line { line: Arc::new(line(level, message)), node: None }
    }

    #[test]
    fn a_line_has_its_parts_and_not_its_run_twice() {
        let line = line(1, "said");
        assert_eq!((line.level(), line.logger(), line.message()), ("warn", "test", "said"));
        assert_eq!(line.fields(), "{\"a\":1,\"b\":2}");
        assert!(line.has("\"b\":2") && line.has("sai") && !line.has("run_id"));
        let bare = LogLine::new(0, "test", "", std::iter::empty());
        assert_eq!((bare.message(), bare.fields()), ("", "{}"));
    }

    #[test]
    fn the_tail_is_bounded_by_lines_and_by_bytes() {
        let lines = Lines::new(1 << 20, 1 << 10);
        assert_eq!(lines.reserved(), 0);
        for number in 0..3_000 {
            lines.keep(line(2, &number.to_string()));
        }
        let (count, bytes, _) = lines.figures();
        assert!(count == MOST_IN_TAIL && bytes <= lines.reserved());
        let last = lines.tail(2_998, 10, |_| true);
        assert_eq!(last.iter().map(|line| line.message()).collect::<Vec<_>>(), ["2998", "2999"]);
        let long = "x".repeat(100_000);
        for _ in 0..1_000 {
            lines.keep(line(2, &long));
        }
        let (count, bytes, _) = lines.figures();
        assert!((100..300).contains(&count) && bytes <= 1 << 20, "{count} {bytes}");
    }

    #[test]
    fn a_run_keeps_its_first_lines_its_last_and_severe_ones() {
        let mut lines = RunLines::default();
        for number in 0..1_000 {
            lines.add(of_run(if number % 100 == 50 { 0 } else { 2 }, &number.to_string()));
        }
        let bytes = lines.bytes();
        let (kept, left_out) = lines.into_parts();
        assert_eq!(bytes, bytes_of(&kept));
        let kept: Vec<_> = kept.iter().map(|line| line.message().parse::<u64>().unwrap()).collect();
        let expected: Vec<_> = (0..20).chain((50..900).step_by(100)).chain(900..1_000).collect();
        assert_eq!(kept, expected);
        assert_eq!(kept.len() as u64 + left_out, 1_000);
    }

    #[test]
    fn a_severe_line_outlasts_large_ones_that_follow() {
        let mut lines = RunLines::default();
        let long = "x".repeat(1_000);
        for number in 0..1_000 {
            lines.add(of_run(if number == 50 { 0 } else { 2 }, &format!("{number} {long}")));
        }
        let (kept, left_out) = lines.into_parts();
        assert!(kept.iter().any(|line| line.message().starts_with("50 ")));
        assert!(kept.last().unwrap().message().starts_with("999 "));
        assert_eq!(kept.len() as u64 + left_out, 1_000);
    }

    #[test]
    fn large_lines_of_a_run_are_bounded_by_bytes() {
        let mut lines = RunLines::default();
        let long = "x".repeat(100_000);
        for _ in 0..200 {
            lines.add(of_run(0, &long));
            assert!(lines.bytes() <= MOST_RUN_BYTES);
        }
        let (kept, left_out) = lines.into_parts();
        assert!(kept.len() >= 10);
        assert_eq!(kept.len() as u64 + left_out, 200);
    }
}
