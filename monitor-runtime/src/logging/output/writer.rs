//! The writer thread.
//!
//! ```text
//! torn.rest │ batch: lines …            │ report on dropped lines
//!           0        written            report                   batch.len()
//! ```
//!
//! Each round writes the rest of a torn line, the lines of the batch, and the report, in this order; then it flushes.
//! If the sink fails, the lines of which it accepted no byte are lost, and are counted and reported later. A partly
//! accepted line is kept as `torn`: half a line would spoil the next one, so nothing else is written before its rest.
//!
//! ```text
//!            the sink took a part                  the rest is written
//! (none) ───────────────────────────▶ Logged ─────────────────────────▶ (none), counted as written
//!                                      │ the guard's last try
//!                                      ▼
//!                                    GivenUp, counted as dropped; its rest is a line feed
//! ```
//!
//! A `Report` can be torn in the same way. If it is given up, its count goes back to `unreported`, so no dropped line
//! goes unreported. `BrokenPipe` from the sink ends the thread; after any other error it tries again, within a second
//! at the latest.

use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::pipeline::Pipeline;
use crate::logging::record::line::{Line, mute_thread};

/// The pause after a sink that would block.
const BLOCKED: Duration = Duration::from_millis(1);

/// The pause after a failure of the sink, if no new line arrives.
const FAILED: Duration = Duration::from_secs(1);

/// Starts the thread that writes the lines of `pipeline` to `sink`.
pub(crate) fn start(pipeline: Arc<Pipeline>, sink: Box<dyn Write + Send>) -> io::Result<()> {
    let writer = Writer::new(pipeline, sink);
    thread::Builder::new().name("monitor-logs".to_owned()).spawn(move || writer.run()).map(drop)
}

struct Writer {
    pipeline: Arc<Pipeline>,
    sink: Box<dyn Write + Send>,
    batch: Vec<u8>,
    /// The offset in the batch where the lines end and the report on dropped lines begins.
    report: usize,
    /// The number of bytes of the batch that the sink has accepted.
    written: usize,
    /// The line that the sink has accepted partly. Its rest is written before anything else.
    torn: Option<TornRest>,
    /// The number of dropped lines that are not reported yet.
    unreported: u64,
    line: Line,
}

/// The rest of a torn line.
struct TornRest {
    rest: Vec<u8>,
    line: TornLine,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TornLine {
    /// A logged line. It counts as neither written nor dropped yet.
    Logged,
    /// The report on this number of dropped lines.
    Report(u64),
    /// A line that was given up; only its line feed is still written.
    GivenUp,
}

impl Writer {
    fn new(pipeline: Arc<Pipeline>, sink: Box<dyn Write + Send>) -> Self {
        Self {
            pipeline,
            sink,
            batch: Vec::new(),
            report: 0,
            written: 0,
            torn: None,
            unreported: 0,
            line: Line::default(),
        }
    }

    fn run(mut self) {
        mute_thread();
        while let Some(refused) = self.pipeline.queue.next(&mut self.batch) {
            self.pipeline.report_suppressed(&mut self.line, Some(Instant::now()));
            self.written = 0;
            self.unreported += refused;
            self.append_report();
            match self.write_batch() {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::BrokenPipe => break,
                Err(_) => self.pipeline.queue.remind(Instant::now() + FAILED),
            }
        }
    }

    fn append_report(&mut self) {
        self.report = self.batch.len();
        if self.unreported > 0 {
            for part in self.pipeline.report(&mut self.line, self.unreported) {
                self.batch.extend_from_slice(part);
            }
        }
    }

    /// Writes the batch, and settles it whatever the result.
    fn write_batch(&mut self) -> io::Result<()> {
        let done = self.write_torn().and_then(|()| self.write_lines()).and_then(|()| self.flush());
        let mut lost = self.unwritten();
        let torn = u64::from(done.is_err() && self.tear());
        lost -= torn;
        if done.is_err() {
            self.unreported += lost;
        } else if self.unreported > 0 {
            self.pipeline.count_report();
            self.unreported = 0;
        }
        if self.pipeline.queue.is_last_try() {
            self.give_up_torn();
        }
        self.pipeline.queue.note_torn(self.torn.as_ref().is_some_and(|torn| torn.line != TornLine::GivenUp));
        self.pipeline.queue.settle_but(lost, torn);
        done
    }

    /// Writes the rest of a torn line, so that the next line starts on a line of its own.
    fn write_torn(&mut self) -> io::Result<()> {
        let Some(torn) = &mut self.torn else { return Ok(()) };
        while !torn.rest.is_empty() {
            let taken = write_some(&mut *self.sink, &torn.rest)?;
            torn.rest.drain(..taken);
        }
        match torn.line {
            TornLine::Logged => self.pipeline.queue.count_written(),
            TornLine::Report(_) => self.pipeline.count_report(),
            TornLine::GivenUp => {}
        }
        self.torn = None;
        Ok(())
    }

    fn write_lines(&mut self) -> io::Result<()> {
        while self.written < self.batch.len() {
            self.written += write_some(&mut *self.sink, &self.batch[self.written..])?;
        }
        Ok(())
    }

    /// Keeps the rest of a partly accepted line of the batch. Returns whether it is a logged line, not the report.
    fn tear(&mut self) -> bool {
        let (taken, rest) = self.batch.split_at(self.written);
        if taken.last().is_none_or(|&last| last == b'\n') {
            return false;
        }
        let length = rest.iter().position(|&byte| byte == b'\n').map_or(rest.len(), |at| at + 1);
        let line = if self.written < self.report {
            TornLine::Logged
        } else {
            TornLine::Report(std::mem::take(&mut self.unreported))
        };
        self.torn = Some(TornRest { rest: rest[..length].to_vec(), line });
        line == TornLine::Logged
    }

    /// Gives up a torn line, which counts as dropped: no flush will try it again.
    fn give_up_torn(&mut self) {
        let Some(torn) = &mut self.torn else { return };
        match std::mem::replace(&mut torn.line, TornLine::GivenUp) {
            TornLine::Logged => {
                self.pipeline.queue.count_dropped();
                self.unreported += 1;
            }
            TornLine::Report(dropped) => self.unreported += dropped,
            TornLine::GivenUp => {}
        }
        torn.rest = b"\n".to_vec();
    }

    /// Flushes the sink. If that fails, the lines of the batch count as lost.
    fn flush(&mut self) -> io::Result<()> {
        retried(|| self.sink.flush()).inspect_err(|_| self.written = 0)
    }

    /// The number of lines of the batch that the sink has not accepted completely.
    fn unwritten(&self) -> u64 {
        let rest = self.batch.get(self.written..self.report).unwrap_or_default();
        rest.iter().map(|&byte| u64::from(byte == b'\n')).sum()
    }
}

impl Drop for Writer {
    /// Ends the queue, even if the sink panicked, so that no producer and no flush waits for a dead thread.
    fn drop(&mut self) {
        if thread::panicking() {
            self.pipeline.queue.settle_but(self.unwritten(), 0);
        }
        self.give_up_torn();
        self.pipeline.queue.end();
    }
}

/// Writes at least one byte, and as many as the sink accepts.
fn write_some(sink: &mut dyn Write, bytes: &[u8]) -> io::Result<usize> {
    retried(|| match sink.write(bytes) {
        Ok(0) => Err(ErrorKind::WriteZero.into()),
        Ok(taken) => Ok(taken.min(bytes.len())),
        failed => failed,
    })
}

/// Retries while the sink is interrupted or would block.
fn retried<T>(mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match attempt() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(BLOCKED),
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use prometheus::IntCounter;
    use std::collections::VecDeque;
    use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
    use std::sync::{Mutex, MutexGuard};

    use super::super::guard::LogGuard;
    use super::super::pipeline::Producer;
    use super::super::queue::{Queue, Tally, WhenFull};
    use super::super::sink::LineSink as _;
    use crate::logging::record::line::LineFormat;

    use super::*;

    const SOON: Duration = Duration::from_secs(60);
    const NOT_LONG: Duration = Duration::from_millis(20);

    /// The result of one write to the sink.
    enum SinkStep {
        Take(usize),
        Fail(ErrorKind),
        /// Waits until the sender is dropped.
        Stall(Receiver<()>),
        Panic,
    }

    /// A sink that returns the given results, and accepts everything afterwards.
    #[derive(Clone, Default)]
    struct Scripted(Arc<Mutex<(VecDeque<SinkStep>, Vec<u8>)>>);

    impl Scripted {
        fn new(answers: impl Into<VecDeque<SinkStep>>) -> Self {
            Self(Arc::new(Mutex::new((answers.into(), Vec::new()))))
        }

        fn lock(&self) -> MutexGuard<'_, (VecDeque<SinkStep>, Vec<u8>)> {
            self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
        }

        fn text(&self) -> String {
            String::from_utf8(self.lock().1.clone()).unwrap()
        }
    }

    impl Write for Scripted {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let answer = self.lock().0.pop_front();
            let taken = match answer {
                None => bytes.len(),
                Some(SinkStep::Take(most)) => most.min(bytes.len()),
                Some(SinkStep::Fail(kind)) => return Err(kind.into()),
                Some(SinkStep::Stall(until)) => {
                    assert_eq!(until.recv_timeout(SOON), Err(RecvTimeoutError::Disconnected));
                    bytes.len()
                }
                Some(SinkStep::Panic) => panic!("told to"),
            };
            self.lock().1.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Running {
        producer: Producer,
        guard: LogGuard,
        written: IntCounter,
        dropped: IntCounter,
        thread: thread::JoinHandle<()>,
    }

    fn run(sink: &Scripted, queue_bytes: usize) -> Running {
        start(sink, queue_bytes, WhenFull::Drop)
    }

    fn start(sink: &Scripted, queue_bytes: usize, when_full: WhenFull) -> Running {
        let counter = |name| IntCounter::new(name, "Lines.").unwrap();
        let (written, dropped) = (counter("written"), counter("dropped"));
        let tally = Tally { written: written.clone(), dropped: dropped.clone() };
        let pipeline =
            Arc::new(Pipeline::new(Queue::new(queue_bytes, when_full, tally), LineFormat::JSON, None));
        let writer = Writer::new(Arc::clone(&pipeline), Box::new(sink.clone()));
        let thread = thread::spawn(move || writer.run());
        let producer = Producer::new(Arc::clone(&pipeline), None);
        Running { producer, guard: LogGuard::new(pipeline), written, dropped, thread }
    }

    impl Running {
        fn push(&self, line: &str) {
            self.producer.push([line.as_bytes(), b"\n"]);
        }

        /// Pushes a line and waits until the sink has returned a result.
        fn write(&self, line: &str) {
            self.push(line);
            assert!(self.guard.flush());
        }
    }

    /// Joins the writer thread, which has nothing left to do.
    fn ended(thread: thread::JoinHandle<()>) -> thread::Result<()> {
        let started = Instant::now();
        while !thread.is_finished() {
            assert!(started.elapsed() < SOON, "the thread is still running");
            thread::yield_now();
        }
        thread.join()
    }

    /// The report as the writer words it, without its timestamp.
    fn reports(text: &str) -> Vec<&str> {
        text.lines()
            .filter_map(|line| line.split_once(r#""level":"warn","#))
            .map(|(_, report)| report)
            .collect()
    }

    #[test]
    fn short_interrupted_and_blocked_writes_are_continued() {
        let answers = [
            SinkStep::Take(1),
            SinkStep::Fail(ErrorKind::Interrupted),
            SinkStep::Fail(ErrorKind::WouldBlock),
            SinkStep::Take(2),
        ];
        let sink = Scripted::new(answers);
        let running = run(&sink, 64);
        running.write("first");
        running.write("second");
        assert_eq!(sink.text(), "first\nsecond\n");
        assert_eq!(running.dropped.get(), 0);
    }

    #[test]
    fn lines_dropped_behind_a_stalled_sink_are_counted_and_reported() {
        let (release, stalled) = mpsc::channel();
        let sink = Scripted::new([SinkStep::Stall(stalled)]);
        let running = run(&sink, 20);
        running.push("taken");
        while !sink.lock().0.is_empty() {
            thread::yield_now();
        }
        for _ in 0..5 {
            running.push("waiting");
        }
        drop(release);
        assert!(running.guard.flush());
        running.write("later");
        assert_eq!(running.dropped.get(), 4);
        let text = sink.text();
        assert_eq!(
            reports(&text),
            [r#""logger":"monitor_runtime::logging","event":"log lines dropped","dropped":4}"#]
        );
        assert_eq!(
            text.lines().filter(|line| !line.starts_with('{')).collect::<Vec<_>>(),
            ["taken", "waiting", "later"]
        );
    }

    #[test]
    fn a_line_that_was_taken_in_part_is_completed_before_the_next() {
        for kind in [
            ErrorKind::StorageFull,
            ErrorKind::QuotaExceeded,
            ErrorKind::FileTooLarge,
            ErrorKind::WriteZero,
            ErrorKind::Other,
        ] {
            let sink = Scripted::new([
                SinkStep::Take(3),
                SinkStep::Fail(kind),
                SinkStep::Take(1),
                SinkStep::Fail(ErrorKind::WouldBlock),
                SinkStep::Fail(kind),
            ]);
            let running = run(&sink, 1_024);
            running.write("torn");
            assert_eq!(running.dropped.get(), 0);
            running.write("lost, unless the writer has tried again before it was logged");
            running.write("kept");
            let text = sink.text();
            assert!(text.starts_with("torn\n") && text.contains("\nkept\n"), "{kind}: {text}");
            assert_eq!(text.lines().count() as u64, running.written.get(), "{kind}: {text}");
            assert_eq!(reports(&text).len() as u64, running.dropped.get(), "{kind}: {text}");
        }
    }

    #[test]
    fn a_failed_write_costs_the_lines_of_which_nothing_was_taken() {
        let sink = Scripted::new([SinkStep::Take(7), SinkStep::Fail(ErrorKind::StorageFull)]);
        let running = run(&sink, 1_024);
        for line in ["first", "torn", "lost", "lost"] {
            running.push(line);
        }
        assert!(running.guard.flush());
        running.write("kept");
        let text = sink.text();
        assert_eq!(reports(&text).len(), usize::from(running.dropped.get() > 0), "{text}");
        let own: Vec<_> = text.lines().filter(|line| !line.starts_with('{')).collect();
        assert_eq!(text.lines().count() as u64, running.written.get());
        assert_eq!(own.len() as u64 + running.dropped.get(), 5);
    }

    #[test]
    fn a_torn_line_is_completed_though_nothing_more_is_logged() {
        let sink = Scripted::new([SinkStep::Take(3), SinkStep::Fail(ErrorKind::StorageFull)]);
        let running = run(&sink, 1_024);
        running.push("torn");
        let started = Instant::now();
        while running.written.get() == 0 {
            assert!(started.elapsed() < SOON, "{}", sink.text());
            thread::yield_now();
        }
        assert_eq!((sink.text().as_str(), running.dropped.get()), ("torn\n", 0));
    }

    #[test]
    fn a_torn_line_that_the_guard_cannot_complete_is_dropped() {
        let answers = (0..1_000).map(|_| SinkStep::Fail(ErrorKind::StorageFull));
        let sink = Scripted::new([SinkStep::Take(3)].into_iter().chain(answers).collect::<VecDeque<_>>());
        let Running { producer, guard, written, dropped, .. } = run(&sink, 1_024);
        producer.push([b"torn", b"\n"]);
        drop(guard);
        assert_eq!((written.get(), dropped.get()), (0, 1));
        sink.lock().0.clear();
        producer.push([b"later", b"\n"]);
        let started = Instant::now();
        while written.get() < 2 {
            assert!(started.elapsed() < SOON, "{}", sink.text());
            thread::yield_now();
        }
        assert!(sink.text().starts_with("tor\n"), "{}", sink.text());
        assert!(sink.text().contains("later\n"), "{}", sink.text());
        assert_eq!(dropped.get(), 1);
    }

    #[test]
    fn a_torn_report_is_completed_and_said_once() {
        let sink = Scripted::new([
            SinkStep::Fail(ErrorKind::StorageFull),
            SinkStep::Take(20),
            SinkStep::Fail(ErrorKind::StorageFull),
        ]);
        let running = run(&sink, 1_024);
        running.write("lost");
        running.write("1");
        running.write("2");
        let text = sink.text();
        assert_eq!(reports(&text).len(), 1, "{text}");
        assert_eq!((running.written.get(), running.dropped.get()), (3, 1), "{text}");
        assert_eq!(text.lines().count(), 3, "{text}");
    }

    #[test]
    fn a_sink_that_takes_nothing_is_a_failed_one() {
        let sink = Scripted::new([SinkStep::Take(0)]);
        let running = run(&sink, 64);
        running.write("lost");
        assert_eq!(running.dropped.get(), 1);
        assert_eq!(sink.text(), "");
    }

    #[test]
    fn a_closed_pipe_ends_the_writing_and_nothing_else() {
        let sink = Scripted::new([SinkStep::Fail(ErrorKind::BrokenPipe)]);
        let running = run(&sink, 64);
        running.write("lost");
        assert!(ended(running.thread).is_ok());
        running.producer.push([b"lost as well", b"\n"]);
        assert!(running.guard.flush());
        assert_eq!(running.dropped.get(), 2);
        assert_eq!(sink.text(), "");
    }

    #[test]
    fn a_sink_that_panics_drops_the_lines_it_did_not_take() {
        let sink = Scripted::new([SinkStep::Take(6), SinkStep::Panic]);
        let running = run(&sink, 64);
        running.push("taken");
        running.push("lost");
        let started = Instant::now();
        assert!(running.guard.flush());
        assert!(ended(running.thread).is_err());
        running.producer.push([b"lost as well", b"\n"]);
        assert!(running.guard.flush() && started.elapsed() < SOON);
        assert_eq!(running.dropped.get(), 2);
        assert_eq!(sink.text(), "taken\n");
    }

    #[test]
    fn the_thread_ends_with_the_layer_and_writes_what_waits_before() {
        let sink = Scripted::default();
        let running = run(&sink, 64);
        running.push("last");
        drop(running.producer);
        assert!(ended(running.thread).is_ok());
        assert_eq!(sink.text(), "last\n");
        assert_eq!(running.dropped.get(), 0);
    }

    #[test]
    fn every_line_counts_once_and_a_torn_one_as_written() {
        let sink = Scripted::new([SinkStep::Take(5), SinkStep::Fail(ErrorKind::StorageFull)]);
        let running = run(&sink, 1_024);
        running.write("taken before the output failed, in part");
        running.write("kept");
        assert_eq!((running.written.get(), running.dropped.get()), (2, 0));
        assert_eq!(sink.text().lines().count(), 2, "expected the torn line and the next one");
    }

    #[test]
    fn in_blocking_mode_nothing_is_lost_behind_a_sink_that_stalls() {
        let (release, stalled) = mpsc::channel();
        let sink = Scripted::new([SinkStep::Stall(stalled)]);
        let running = start(&sink, 20, WhenFull::Block);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| (0..5).for_each(|_| running.push("waiting")));
            }
            thread::sleep(NOT_LONG);
            drop(release);
        });
        assert!(running.guard.flush());
        assert_eq!(sink.text(), "waiting\n".repeat(15));
        assert_eq!((running.written.get(), running.dropped.get()), (15, 0));
    }

    #[test]
    fn in_blocking_mode_a_broken_or_panicked_sink_blocks_nobody() {
        for end in [SinkStep::Fail(ErrorKind::BrokenPipe), SinkStep::Panic] {
            let (release, stalled) = mpsc::channel();
            let sink = Scripted::new([SinkStep::Stall(stalled), end]);
            let running = start(&sink, 20, WhenFull::Block);
            thread::scope(|scope| {
                for _ in 0..3 {
                    scope.spawn(|| (0..5).for_each(|_| running.push("waiting")));
                }
                thread::sleep(NOT_LONG);
                drop(release);
            });
            assert!(running.guard.flush());
            let (written, dropped) = (running.written.get(), running.dropped.get());
            assert_eq!(written + dropped, 15);
            assert_eq!(sink.text().lines().count() as u64, written);
        }
    }

    #[test]
    fn in_blocking_mode_no_thread_waits_once_the_guard_is_dropped() {
        let (release, stalled) = mpsc::channel();
        let sink = Scripted::new([SinkStep::Stall(stalled)]);
        let Running { producer, mut guard, dropped, .. } = start(&sink, 20, WhenFull::Block);
        guard.set_timeout(NOT_LONG);
        thread::scope(|scope| {
            scope.spawn(|| (0..5).for_each(|_| producer.push([b"waiting", b"\n"])));
            drop(guard);
            producer.push([b"after the guard", b"\n"]);
        });
        assert!(dropped.get() >= 1);
        drop(release);
    }
}
