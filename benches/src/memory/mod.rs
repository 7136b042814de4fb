//! Measures the resident memory of an agent with a literal id: its static, its code as far as it is called, and its series, on
//! every thread that has called it.

mod agents;

use std::error::Error;
use std::fs;
use std::future::Future;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::pin::pin;
use std::sync::Barrier;
use std::task::{Context, Waker};
use std::thread;

use agents::{AGENTS, ENDS, call_all, warm_up};

const THREADS: usize = 16;

/// Calls many agents from sixteen threads at once, with every outcome, and returns the growth of the process in bytes per agent
/// while the threads are still alive. Run it in its own process.
///
/// Pages of the executable are printed and not counted: the kernel maps some ahead of need, and most of the code would be there
/// without the attribute.
///
/// # Errors
///
/// Returns an error if the system does not report the memory of the process.
pub fn bytes_per_series() -> Result<f64, Box<dyn Error>> {
    // What a panic prints is no part of this, and there will be many.
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let grown = grown_by_calls();
    panic::set_hook(hook);
    let [own, mapped] = grown?.map(|bytes| bytes as f64 / AGENTS as f64);
    println!(
        "\nresident memory of {AGENTS} agents that {THREADS} threads have called: {own:.0} bytes an agent, and \
         {mapped:.0} of the executable"
    );
    Ok(own)
}

fn grown_by_calls() -> io::Result<[u64; 2]> {
    // All threads and this one wait for each other around each measurement.
    let barrier = Barrier::new(THREADS + 1);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| call_from_a_thread(&barrier));
        }
        barrier.wait();
        let before = resident_bytes();
        barrier.wait();
        barrier.wait();
        let after = resident_bytes();
        barrier.wait();
        let ([own, mapped], [own_before, mapped_before]) = (after?, before?);
        Ok([own.saturating_sub(own_before), mapped.saturating_sub(mapped_before)])
    })
}

fn call_from_a_thread(barrier: &Barrier) {
    // What a thread and a panic take the first time is not what an agent takes.
    for end in ENDS {
        call(warm_up(end));
    }
    barrier.wait();
    barrier.wait();
    for end in ENDS {
        call_all(end);
    }
    barrier.wait();
    barrier.wait();
}

/// Polls once, and drops the future if it has not ended.
fn call(agent: impl Future) {
    let poll = AssertUnwindSafe(|| {
        let _ = pin!(agent).poll(&mut Context::from_waker(Waker::noop()));
    });
    // One of the ends is a panic.
    let _ = panic::catch_unwind(poll);
}

/// The process's own memory, and the mapped part of its files.
fn resident_bytes() -> io::Result<[u64; 2]> {
    let status = fs::read_to_string("/proc/self/status")?;
    Ok([kilobytes(&status, "RssAnon:")? * 1_024, kilobytes(&status, "RssFile:")? * 1_024])
}

fn kilobytes(status: &str, name: &str) -> io::Result<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB"));
    let number = value.and_then(|value| value.trim().parse().ok());
    number.ok_or_else(|| io::Error::other(format!("no {name} in /proc/self/status")))
}
