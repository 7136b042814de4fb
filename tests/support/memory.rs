//! An output in memory.
#![allow(dead_code, reason = "every test file compiles all of it and uses its own part")]

use std::io::{self, Write};
use std::sync::{Arc, LazyLock, Mutex};

use monitor_runtime::logging::LoggingBuilder;
use tracing::Dispatch;
use tracing::subscriber::NoSubscriber;
use tracing_subscriber::layer::SubscriberExt as _;

use super::log_line::LogLine;

/// Keeps what is written; its clones share it.
#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// While there is only one subscriber, `tracing` asks the thread that first meets a callsite whether anybody listens, and keeps a
/// "no" of a thread that has none. A second one has it ask all of them.
static SECOND: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::default()));

/// The text that the writer thread writes for the events of `run` on this thread.
pub(crate) fn text(logging: LoggingBuilder, run: impl FnOnce()) -> String {
    LazyLock::force(&SECOND);
    let memory = Memory::default();
    let (layer, guard) = logging.writer(memory.clone()).layer().unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), run);
    drop(guard);
    memory.text()
}

/// The same, read.
pub(crate) fn lines(logging: LoggingBuilder, run: impl FnOnce()) -> Vec<LogLine> {
    LogLine::read_all(&text(logging, run))
}
