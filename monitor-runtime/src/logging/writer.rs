//! The thread that writes lines, and the guard that waits for it.

use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use prometheus::IntCounter;
use tracing::Level;

use super::layer::Sink;
use super::line::{Line, Look, mute_thread, rank};
use super::queue::Queue;
use crate::registry::process::{self, LEVELS};

/// How long a flush waits for a sink that takes nothing.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// How long to leave a sink alone that says it would block.
const BLOCKED: Duration = Duration::from_millis(1);

/// Keeps log lines from being lost at the end of a process: dropping it writes out what waits.
///
/// Hold it for as long as the process logs, in `main` as a rule. Lines emitted after it was dropped are still
/// written if the process lives long enough; nothing waits for them any more.
///
/// Dropping it, like [`flush`](Self::flush), blocks the thread for up to five seconds when the sink is stalled.
#[derive(Debug)]
#[must_use = "dropped at once, it flushes at once, and nothing waits for the last lines of the process"]
pub struct LogGuard {
    queue: Arc<Queue>,
}

impl LogGuard {
    /// Waits until everything emitted before the call has been written and flushed, or five seconds have passed, and
    /// says whether it was done in time. Lines that the sink refused are done as well; they count as dropped.
    pub fn flush(&self) -> bool {
        self.queue.flush(FLUSH_TIMEOUT)
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        self.flush();
    }
}

/// The layer's end of the queue; the writer ends after it.
#[derive(Debug)]
pub(crate) struct Producer {
    queue: Arc<Queue>,
}

impl Sink for Producer {
    #[inline]
    fn push(&self, line: [&[u8]; 2]) {
        self.queue.push(line);
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// Starts the thread that writes to `sink` whatever is pushed into the producer.
pub(super) fn start(
    sink: Box<dyn Write + Send>,
    look: Look,
    queue_bytes: usize,
) -> io::Result<(Producer, LogGuard)> {
    let queue = Arc::new(Queue::new(queue_bytes));
    let writer = Writer::new(Arc::clone(&queue), sink, look);
    thread::Builder::new().name("monitor-logs".to_owned()).spawn(move || writer.run())?;
    Ok((Producer { queue: Arc::clone(&queue) }, LogGuard { queue }))
}

struct Writer {
    queue: Arc<Queue>,
    sink: Box<dyn Write + Send>,
    look: Look,
    batch: Vec<u8>,
    /// Where the batch's lines end and the report on dropped ones begins.
    report: usize,
    /// How much of the batch the sink has taken.
    written: usize,
    /// The sink took part of a line that will not be completed.
    is_torn: bool,
    /// Lines dropped and not yet reported.
    unreported: u64,
    line: Line,
    reports: IntCounter,
}

impl Writer {
    fn new(queue: Arc<Queue>, sink: Box<dyn Write + Send>, look: Look) -> Self {
        let reports = process::metrics().log_events.with_label_values(&[LEVELS[rank(Level::WARN)]]);
        Self {
            queue,
            sink,
            look,
            batch: Vec::new(),
            report: 0,
            written: 0,
            is_torn: false,
            unreported: 0,
            line: Line::default(),
            reports,
        }
    }

    fn run(mut self) {
        mute_thread();
        while let Some(refused) = self.queue.next(&mut self.batch) {
            self.written = 0;
            self.unreported += refused;
            self.append_report();
            if let Err(error) = self.write_batch()
                && error.kind() == ErrorKind::BrokenPipe
            {
                break;
            }
        }
    }

    fn append_report(&mut self) {
        self.report = self.batch.len();
        if self.unreported > 0 {
            let dropped = ("dropped", self.unreported);
            let line = self.line.render_own(self.look, Level::WARN, "log lines dropped", dropped);
            for part in line {
                self.batch.extend_from_slice(part);
            }
        }
    }

    /// Writes the batch, and settles it whatever comes of that.
    fn write_batch(&mut self) -> io::Result<()> {
        let done = self.write_torn_end().and_then(|()| self.write_lines()).and_then(|()| self.flush());
        if done.is_err() {
            self.unreported += self.unwritten();
        } else if self.unreported > 0 {
            self.reports.inc();
            self.unreported = 0;
        }
        self.queue.settle(self.unwritten());
        done
    }

    /// After a line that broke off, the next one gets a line of its own.
    fn write_torn_end(&mut self) -> io::Result<()> {
        if self.is_torn {
            retried(|| self.sink.write_all(b"\n"))?;
            self.is_torn = false;
        }
        Ok(())
    }

    fn write_lines(&mut self) -> io::Result<()> {
        while self.written < self.batch.len() {
            let taken = retried(|| match self.sink.write(&self.batch[self.written..]) {
                Ok(0) => Err(ErrorKind::WriteZero.into()),
                taken => taken,
            });
            self.is_torn =
                taken.is_err() && self.batch[..self.written].last().is_some_and(|&last| last != b'\n');
            self.written = self.batch.len().min(self.written + taken?);
        }
        Ok(())
    }

    /// What the sink took and could not flush has to count as lost.
    fn flush(&mut self) -> io::Result<()> {
        retried(|| self.sink.flush()).inspect_err(|_| self.written = 0)
    }

    /// The lines of the batch that the sink has not taken whole.
    fn unwritten(&self) -> u64 {
        let rest = self.batch.get(self.written..self.report).unwrap_or_default();
        rest.iter().map(|&byte| u64::from(byte == b'\n')).sum()
    }
}

impl Drop for Writer {
    /// Also when the sink panicked: no producer and no flush may wait for a thread that is gone.
    fn drop(&mut self) {
        if thread::panicking() {
            self.queue.settle(self.unwritten());
        }
        self.queue.end();
    }
}

/// Tries again for as long as the sink only asks for patience.
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
    use std::collections::VecDeque;
    use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
    use std::sync::{Mutex, MutexGuard};
    use std::time::Instant;

    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    /// What a sink does when it is asked to write.
    enum Answer {
        Take(usize),
        Fail(ErrorKind),
        /// Waits for the sender's end.
        Stall(Receiver<()>),
        Panic,
    }

    /// A sink that answers as it was told to, and takes everything once it runs out of answers.
    #[derive(Clone, Default)]
    struct Scripted(Arc<Mutex<(VecDeque<Answer>, Vec<u8>)>>);

    impl Scripted {
        fn new(answers: impl Into<VecDeque<Answer>>) -> Self {
            Self(Arc::new(Mutex::new((answers.into(), Vec::new()))))
        }

        fn lock(&self) -> MutexGuard<'_, (VecDeque<Answer>, Vec<u8>)> {
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
                Some(Answer::Take(most)) => most.min(bytes.len()),
                Some(Answer::Fail(kind)) => return Err(kind.into()),
                Some(Answer::Stall(until)) => {
                    assert_eq!(until.recv_timeout(SOON), Err(RecvTimeoutError::Disconnected));
                    bytes.len()
                }
                Some(Answer::Panic) => panic!("told to"),
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
        dropped: IntCounter,
        thread: thread::JoinHandle<()>,
    }

    fn run(sink: &Scripted, queue_bytes: usize) -> Running {
        let dropped = IntCounter::new("dropped", "Lines dropped.").unwrap();
        let queue = Arc::new(Queue::counting(queue_bytes, dropped.clone()));
        let writer = Writer::new(Arc::clone(&queue), Box::new(sink.clone()), Look::Json);
        let thread = thread::spawn(move || writer.run());
        Running {
            producer: Producer { queue: Arc::clone(&queue) },
            guard: LogGuard { queue },
            dropped,
            thread,
        }
    }

    impl Running {
        fn push(&self, line: &str) {
            self.producer.push([line.as_bytes(), b"\n"]);
        }

        /// Pushes a line and waits until the sink has answered.
        fn write(&self, line: &str) {
            self.push(line);
            assert!(self.guard.flush());
        }
    }

    /// What became of the writer's thread, which has no reason left to go on.
    fn ended(thread: thread::JoinHandle<()>) -> thread::Result<()> {
        let started = Instant::now();
        while !thread.is_finished() {
            assert!(started.elapsed() < SOON, "the thread goes on");
            thread::yield_now();
        }
        thread.join()
    }

    /// The report as the writer words it, without its time.
    fn reports(text: &str) -> Vec<&str> {
        text.lines()
            .filter_map(|line| line.split_once(r#""level":"warn","#))
            .map(|(_, report)| report)
            .collect()
    }

    #[test]
    fn short_interrupted_and_blocked_writes_are_continued_where_they_stopped() {
        let answers = [
            Answer::Take(1),
            Answer::Fail(ErrorKind::Interrupted),
            Answer::Fail(ErrorKind::WouldBlock),
            Answer::Take(2),
        ];
        let sink = Scripted::new(answers);
        let running = run(&sink, 64);
        running.write("first");
        running.write("second");
        assert_eq!(sink.text(), "first\nsecond\n");
        assert_eq!(running.dropped.get(), 0);
    }

    #[test]
    fn what_a_stalled_sink_makes_drop_is_counted_and_said_when_there_is_room() {
        let (release, stalled) = mpsc::channel();
        let sink = Scripted::new([Answer::Stall(stalled)]);
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
    fn a_failed_write_costs_its_lines_and_the_next_begin_on_a_line_of_their_own() {
        let sink = Scripted::new([Answer::Take(3), Answer::Fail(ErrorKind::StorageFull)]);
        let running = run(&sink, 1_024);
        running.write("lost");
        assert_eq!(running.dropped.get(), 1);
        running.write("kept");
        assert_eq!(running.dropped.get(), 1);
        assert!(sink.text().starts_with("los\nkept\n{"), "{}", sink.text());
        assert!(sink.text().ends_with("\"dropped\":1}\n"), "{}", sink.text());
    }

    #[test]
    fn a_sink_that_takes_nothing_is_a_failed_one() {
        let sink = Scripted::new([Answer::Take(0)]);
        let running = run(&sink, 64);
        running.write("lost");
        assert_eq!(running.dropped.get(), 1);
        assert_eq!(sink.text(), "");
    }

    #[test]
    fn a_closed_pipe_ends_the_writing_and_nothing_else() {
        let sink = Scripted::new([Answer::Fail(ErrorKind::BrokenPipe)]);
        let running = run(&sink, 64);
        running.write("lost");
        assert!(ended(running.thread).is_ok());
        running.producer.push([b"lost as well", b"\n"]);
        assert!(running.guard.flush());
        assert_eq!(running.dropped.get(), 2);
        assert_eq!(sink.text(), "");
    }

    #[test]
    fn a_sink_that_panics_leaves_nobody_waiting_and_costs_what_it_did_not_take() {
        let sink = Scripted::new([Answer::Take(6), Answer::Panic]);
        let running = run(&sink, 64);
        running.push("taken");
        running.push("lost");
        let started = Instant::now();
        assert!(running.guard.flush());
        assert!(ended(running.thread).is_err());
        running.producer.push([b"lost as well", b"\n"]);
        assert!(running.guard.flush() && started.elapsed() < FLUSH_TIMEOUT);
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
}
