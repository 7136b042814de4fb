//! The standard `process_*` metrics, even if the process has no file descriptors left.
//!
//! They equal those of `prometheus`' own collector, which opens files during each scrape. This collector keeps its
//! files open, since `process_open_fds` matters most when no file can be opened.

use std::fs::File;
use std::mem::MaybeUninit;
use std::os::unix::fs::FileExt as _;
use std::sync::{LazyLock, Mutex, PoisonError};

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntCounter, IntGauge};
use rustix::fs::{RawDir, SeekFrom, seek};
use rustix::process::{Resource, getrlimit};

/// The collector of this process, shared by all registries.
pub(crate) fn collector() -> Option<Shared> {
    static SHARED: LazyLock<Option<OwnProcess>> = LazyLock::new(|| OwnProcess::new().ok());
    SHARED.as_ref().map(Shared)
}

#[derive(Clone, Copy)]
pub(crate) struct Shared(&'static OwnProcess);

impl Collector for Shared {
    fn desc(&self) -> Vec<&Desc> {
        self.0.all().into_iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.0.read();
        self.0.all().into_iter().flat_map(Collector::collect).collect()
    }
}

struct OwnProcess {
    files: Mutex<Files>,
    cpu: IntCounter,
    open_fds: IntGauge,
    max_fds: IntGauge,
    virtual_memory: IntGauge,
    resident_memory: IntGauge,
    start_time: IntGauge,
    threads: IntGauge,
}

impl OwnProcess {
    fn new() -> Result<Self, prometheus::Error> {
        let files = Mutex::new(Files { stat: None, descriptors: None, boot_time: boot_time() });
        let metrics = Self {
            files,
            cpu: IntCounter::new(
                "process_cpu_seconds_total",
                "Total user and system CPU time spent in seconds.",
            )?,
            open_fds: IntGauge::new("process_open_fds", "Number of open file descriptors.")?,
            max_fds: IntGauge::new("process_max_fds", "Maximum number of open file descriptors.")?,
            virtual_memory: IntGauge::new("process_virtual_memory_bytes", "Virtual memory size in bytes.")?,
            resident_memory: IntGauge::new(
                "process_resident_memory_bytes",
                "Resident memory size in bytes.",
            )?,
            start_time: IntGauge::new(
                "process_start_time_seconds",
                "Start time of the process since unix epoch in seconds.",
            )?,
            threads: IntGauge::new("process_threads", "Number of OS threads in the process.")?,
        };
        // Opens the files while there are descriptors for them.
        metrics.read();
        Ok(metrics)
    }

    fn all(&self) -> [&dyn Collector; 7] {
        [
            &self.cpu,
            &self.open_fds,
            &self.max_fds,
            &self.virtual_memory,
            &self.resident_memory,
            &self.start_time,
            &self.threads,
        ]
    }

    fn read(&self) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(max) = getrlimit(Resource::Nofile).current {
            self.max_fds.set(whole(max));
        }
        if let Some(open) = files.count_descriptors() {
            self.open_fds.set(whole(open));
        }
        let Some(stat) = files.stat() else { return };
        let ticks = rustix::param::clock_ticks_per_second().max(1);
        let spent = (stat.user_ticks + stat.system_ticks) / ticks;
        self.cpu.inc_by(spent.saturating_sub(self.cpu.get()));
        self.virtual_memory.set(whole(stat.virtual_bytes));
        self.resident_memory.set(whole(stat.resident_pages * rustix::param::page_size() as u64));
        self.threads.set(whole(stat.threads));
        if let Some(boot_time) = files.boot_time {
            self.start_time.set(whole(boot_time + stat.start_ticks / ticks));
        }
    }
}

fn whole(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The files that stay open.
struct Files {
    stat: Option<File>,
    descriptors: Option<File>,
    /// When the machine booted: Unix time in seconds.
    boot_time: Option<u64>,
}

/// The fields of `/proc/self/stat` in use; see `proc_pid_stat(5)`.
struct Stat {
    user_ticks: u64,
    system_ticks: u64,
    threads: u64,
    start_ticks: u64,
    virtual_bytes: u64,
    resident_pages: u64,
}

impl Files {
    fn stat(&mut self) -> Option<Stat> {
        let file = kept(&mut self.stat, "/proc/self/stat")?;
        let mut text = [0; 2_048];
        let length = file.read_at(&mut text, 0).ok()?;
        let text = text.get(..length)?;
        // The process's name before it may contain any character.
        let after_name = text.iter().rposition(|byte| *byte == b')')? + 1;
        let fields = std::str::from_utf8(&text[after_name..]).ok()?;
        let fields: Vec<_> = fields.split_ascii_whitespace().collect();
        // The first of these fields has number 3 in the manual.
        let field = |number: usize| fields.get(number - 3)?.parse().ok();
        Some(Stat {
            user_ticks: field(14)?,
            system_ticks: field(15)?,
            threads: field(20)?,
            start_ticks: field(22)?,
            virtual_bytes: field(23)?,
            resident_pages: field(24)?,
        })
    }

    fn count_descriptors(&mut self) -> Option<u64> {
        let directory = kept(&mut self.descriptors, "/proc/self/fd")?;
        seek(directory, SeekFrom::Start(0)).ok()?;
        let mut buffer = [const { MaybeUninit::uninit() }; 8_192];
        let (mut entries, mut count) = (RawDir::new(directory, &mut buffer), 0);
        while let Some(entry) = entries.next() {
            count += u64::from(!entry.ok()?.file_name().to_bytes().starts_with(b"."));
        }
        Some(count)
    }
}

fn kept<'f>(file: &'f mut Option<File>, path: &str) -> Option<&'f File> {
    if file.is_none() {
        *file = File::open(path).ok();
    }
    file.as_ref()
}

fn boot_time() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}
