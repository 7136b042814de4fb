//! The memory of the recorder is a ceiling, and its counts tell the truth.
//!
//! `MONITOR_TEST_CEILING_SECONDS=600` makes the test as long as that; without it, it takes a few seconds.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{env, fmt, fs, thread};

use monitor_runtime::run;
use monitor_runtime::{Monitor, track_agent, track_skill};

use crate::api::json;
use crate::support::subprocess::{self, Subprocess};

const MEMORY: usize = 16 << 20;
/// What the recorder may take besides.
const BESIDES: usize = 1 << 20;

const THREADS: usize = 16;
const AGENTS: usize = 400;
const ERROR_BYTES: usize = 100_000;

const PARTS: Subprocess = Subprocess::new(module_path!(), "parts");

#[test]
#[ignore = "plays a part for the other test"]
fn parts() {
    if subprocess::part().is_some() {
        ceiling_holds();
    }
}

#[test]
fn many_runs_with_large_errors_stay_below_the_ceiling_and_are_counted() {
    let mut command = PARTS.command("ceiling");
    // Of glibc: it gives back what is freed, so the test sees what is in use. Else each of the threads that fail keeps the
    // room for the largest errors that it has formatted.
    command.env("MALLOC_ARENA_MAX", "1");
    command.env("MALLOC_MMAP_THRESHOLD_", "65536").env("MALLOC_TRIM_THRESHOLD_", "65536");
    if let Some(seconds) = env::var_os("MONITOR_TEST_CEILING_SECONDS") {
        command.env("MONITOR_TEST_CEILING_SECONDS", seconds);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    println!("{said}");
}

#[track_skill("ceiling_step")]
fn step(at: u64, error: &str) -> Result<(), String> {
    if at.is_multiple_of(3) { Err(error.to_owned()) } else { Ok(()) }
}

#[track_agent(id = agent)]
fn walk(agent: &str, at: u64, error: &str) -> Result<(), String> {
    let _ = step(at, error);
    step(at + 1, error)
}

/// Makes runs on all threads for a while. Returns their number.
fn work(seconds: Duration) -> u64 {
    let (count, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let error = "x".repeat(ERROR_BYTES);
    let names: Vec<_> = (0..AGENTS).map(|agent| format!("ceiling_{agent}")).collect();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let at = count.fetch_add(1, Ordering::Relaxed);
                    let _ = walk(&names[usize::try_from(at).unwrap() % AGENTS], at, &error);
                    // Fewer than the recorder's thread reads, so that most runs are kept or evicted, and few are lost.
                    if at.is_multiple_of(4) {
                        thread::sleep(Duration::from_millis(1));
                    }
                }
            });
        }
        thread::sleep(seconds);
        is_over.store(true, Ordering::Relaxed);
    });
    count.into_inner()
}

/// The bytes of memory of this process that no file backs.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("RssAnon:")?.trim().strip_suffix(" kB"));
    kilobytes.unwrap().parse::<usize>().unwrap() << 10
}

fn ceiling_holds() {
    let seconds = env::var("MONITOR_TEST_CEILING_SECONDS").ok().map_or(4, |seconds| seconds.parse().unwrap());
    let began = Instant::now();
    let monitor = Monitor::builder().admin_port(0).build().unwrap();
    // What the work itself takes, series and stacks and the buffers of the allocator, is there before.
    work(Duration::from_secs(2));
    let before = resident();
    let runs = run::builder().memory(MEMORY).start().unwrap();
    let mut made = 0;
    let mut most = 0;
    while began.elapsed() < Duration::from_secs(2 + seconds) {
        made += work(Duration::from_millis(500));
        most = most.max(resident());
        let figures = runs.figures();
        assert!(figures.bytes <= figures.memory, "{figures:?}");
    }
    let figures = runs.figures();
    let grown = most.saturating_sub(before);
    println!("{made} runs, {grown} bytes grown of {MEMORY}, {figures:?}");
    assert!(grown <= MEMORY + BESIDES, "{grown} of {MEMORY}: {figures:?}");
    assert_eq!(figures.running, 0);
    // On a busy machine many are lost, which is counted.
    let newest = runs.newest();
    let errors: Vec<_> = newest.iter().filter_map(|run| run.root().error()).collect();
    assert!(errors.len() > 10, "{}", errors.len());
    assert!(errors.iter().all(|error| error.len() == 1_024 && error.ends_with("x…")), "{errors:?}");
    assert_eq!(figures.kept as u64 + figures.evicted, figures.ended);
    assert_eq!(figures.ended + figures.lost, made);
    // The footer, the API and the recorder tell the same.
    let about = json(&monitor, "about");
    for shown in [&about, &about["keeps"]] {
        let count = |name: &str| shown[name].as_u64().unwrap();
        assert_eq!(count("ended"), figures.ended);
        assert_eq!(count("kept") + count("evicted") + count("lost"), made);
        assert_eq!(count("memory"), MEMORY as u64);
    }
}

/// Writes without end. Counts its pieces of 100 bytes.
#[derive(Debug)]
struct Endless;

static PIECES: AtomicU64 = AtomicU64::new(0);

impl fmt::Display for Endless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        loop {
            PIECES.fetch_add(1, Ordering::Relaxed);
            f.write_str(&"y".repeat(100))?;
        }
    }
}

#[track_agent("endless")]
fn fail_without_end() -> Result<(), Endless> {
    Err(Endless)
}

#[test]
fn an_error_is_formatted_no_further_than_it_is_kept() {
    subprocess::in_own_process(|| {
        let runs = run::builder().memory(MEMORY).start().unwrap();
        fail_without_end().unwrap_err();
        let kept = runs.failed("endless");
        let error = kept[0].root().error().unwrap();
        assert_eq!((error.len(), error.ends_with("y…")), (1_024, true), "{error}");
        assert_eq!(PIECES.load(Ordering::Relaxed), 11);
    });
}
