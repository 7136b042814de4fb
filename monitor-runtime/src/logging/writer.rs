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
        let warnings = process::metrics().log_events.with_label_values(&[LEVELS[rank(Level::WARN)]]);
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
            reports: warnings,
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
