//! A log layer of the application that panics at each line about the export.

use std::sync::atomic::{AtomicUsize, Ordering};

use monitor_runtime::otlp::Otlp;
use monitor_runtime::testing::Recording;
use tracing::Subscriber;
use tracing::subscriber::set_global_default;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use crate::otlp::collector::{Answer, Collector};
use crate::otlp::collector_failures::{counted, record};
use crate::otlp::flush;
use crate::support::subprocess::in_own_process;

static LINES: AtomicUsize = AtomicUsize::new(0);

struct Panicking;

impl<S: Subscriber> Layer<S> for Panicking {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "monitor_runtime::otlp" {
            LINES.fetch_add(1, Ordering::Relaxed);
            panic!("told to");
        }
    }
}

/// Makes it the log of the process, the exporting threads included.
pub(crate) fn install() {
    set_global_default(tracing_subscriber::registry().with(Panicking)).unwrap();
}

/// The number of lines that panicked.
pub(crate) fn lines() -> usize {
    LINES.load(Ordering::Relaxed)
}

#[test]
fn spans_are_exported_and_counted_on_after_panics() {
    in_own_process(|| {
        install();
        let recording = Recording::start();
        let collector = Collector::start();
        collector.will([Answer::Status(400)]);
        let otlp = Otlp::builder().endpoint(collector.url()).registry(prometheus::Registry::new());
        let otlp = otlp.start().unwrap();
        for (calls, lines_so_far) in [(3, 2), (2, 4), (1, 4)] {
            record(&otlp, calls);
            flush(&otlp);
            assert_eq!(lines(), lines_so_far, "after {calls} calls");
        }
        assert_eq!(counted(&recording), [2.0, 1.0, 0.0, 3.0]);
        drop(otlp);
        assert_eq!(collector.spans().len(), 6, "the refused ones were received as well");
    });
}
