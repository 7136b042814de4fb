//! Times the parts of a tracked call, a log line and a scrape, each alone.
//!
//! ```sh
//! cargo bench -p monitor-benches --bench parts             # all
//! cargo bench -p monitor-benches --bench parts -- lines    # those whose path has the word
//! ```

use std::error::Error;
use std::hint::black_box;
use std::io;

use divan::Bencher;
use monitor_runtime::logging::Logging;
use monitor_runtime::track_agent;

const IDS: usize = 64;

fn main() -> Result<(), Box<dyn Error>> {
    // Every series is there before the first bench runs, so that each finds the same ones whichever are chosen.
    calls::literal();
    let _ = calls::error();
    for id in calls::ids() {
        calls::dynamic(&id);
    }
    let _guard = Logging::builder().writer(io::sink()).init()?;
    divan::Divan::from_args().sample_size(100).main();
    Ok(())
}

mod clocks {
    use std::time::{Instant, SystemTime};

    use super::Bencher;

    #[divan::bench]
    fn quanta_raw(bencher: Bencher<'_, '_>) {
        let clock = quanta::Clock::new();
        bencher.bench_local(|| clock.raw());
    }

    #[divan::bench]
    fn instant_now() -> Instant {
        Instant::now()
    }

    #[divan::bench]
    fn system_time_now() -> SystemTime {
        SystemTime::now()
    }
}

/// Under our log lines: each call opens a span.
mod calls {
    use super::{Bencher, IDS, black_box, track_agent};

    #[divan::bench]
    #[track_agent("literal")]
    pub(super) fn literal() {
        black_box(());
    }

    #[divan::bench(name = "error, not logged")]
    fn bench_error() -> Result<(), &'static str> {
        error()
    }

    #[track_agent("error", log_errors = false)]
    pub(super) fn error() -> Result<(), &'static str> {
        Err(black_box("told to"))
    }

    #[track_agent(id = id)]
    pub(super) fn dynamic(id: &str) {
        black_box(id);
    }

    #[divan::bench]
    fn dynamic_id(bencher: Bencher<'_, '_>) {
        let ids: Vec<_> = ids().collect();
        let mut turn = ids.iter().cycle();
        bencher.bench_local(|| turn.next().map(|id| dynamic(id)));
    }

    pub(super) fn ids() -> impl Iterator<Item = String> {
        (0..IDS).map(|number| format!("agent-{number:02}"))
    }
}

/// The two benches of texts differ only in their 64 bytes: none needs escaping, or all do.
mod lines {
    use super::Bencher;

    #[divan::bench]
    fn bare() {
        tracing::info!("searching");
    }

    #[divan::bench]
    fn two_integers() {
        tracing::info!(attempt = 1, found = 1_000_000, "searching");
    }

    #[divan::bench]
    fn clean_text(bencher: Bencher<'_, '_>) {
        let text = "a".repeat(64);
        bencher.bench_local(|| tracing::info!(text, "searching"));
    }

    #[divan::bench]
    fn text_to_escape(bencher: Bencher<'_, '_>) {
        let text = "\"".repeat(64);
        bencher.bench_local(|| tracing::info!(text, "searching"));
    }

    #[divan::bench]
    fn inside_three_spans(bencher: Bencher<'_, '_>) {
        let _request = tracing::info_span!("request", request_id = "01990a7e").entered();
        let _agent = tracing::info_span!("agent", agent_id = "planner").entered();
        let _skill = tracing::info_span!("skill", skill_id = "web_search").entered();
        bencher.bench_local(|| tracing::info!("searching"));
    }
}

mod spans {
    use tracing::span::EnteredSpan;

    #[divan::bench]
    fn one_field() -> EnteredSpan {
        tracing::info_span!("agent", agent_id = "planner").entered()
    }

    #[divan::bench]
    fn level_that_is_off() -> EnteredSpan {
        tracing::trace_span!("agent", agent_id = "planner").entered()
    }
}

#[divan::bench]
fn scrape_of_66_agents() -> String {
    monitor_runtime::metrics::render()
}
