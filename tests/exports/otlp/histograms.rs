//! The choice between explicit and exponential histograms.

use monitor_runtime::metrics::{self, NativeHistograms};
use monitor_runtime::otlp::{Otlp, OtlpHistograms};
use monitor_runtime::track_agent;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;

use crate::otlp::collector::Collector;
use crate::otlp::deltas::of_push;
use crate::otlp::{flush, turn};
use crate::support::subprocess::in_own_process;

#[track_agent("measured")]
fn act() {}

/// One call's duration as it is pushed if an export chooses these, after `configure` has run.
fn pushed(chosen: OtlpHistograms, configure: impl Fn()) -> Data {
    let collector = Collector::start();
    let otlp = Otlp::builder().endpoint(collector.url()).histograms(chosen).start().unwrap();
    configure();
    act();
    flush(&otlp);
    let received = collector.received();
    of_push(received.metrics.last().unwrap(), "agent_execution_duration_seconds").unwrap().data.unwrap()
}

/// The scale and the count of the one series.
#[track_caller]
fn exponential(data: Data) -> (i32, u64) {
    let Data::ExponentialHistogram(histogram) = data else { panic!("{data:?}") };
    assert_eq!(histogram.data_points.len(), 1);
    (histogram.data_points[0].scale, histogram.data_points[0].count)
}

#[test]
fn an_export_has_the_process_keep_exponential_histograms() {
    in_own_process(|| {
        let configure = || metrics::builder().series_limit(100).init().unwrap();
        let (scale, count) = exponential(pushed(OtlpHistograms::Exponential, configure));
        assert!(scale > 0, "{scale}");
        assert_eq!(count, 1);
        // The same again is still the same.
        configure();
    });
}

#[test]
fn an_export_leaves_native_histograms_as_the_process_keeps_them() {
    in_own_process(|| {
        // Buckets that grow by 2 have the scale 0.
        let configure = || {
            let native = NativeHistograms::new().growth(2.0);
            metrics::builder().native_histograms(native).init().unwrap();
        };
        configure();
        assert_eq!(exponential(pushed(OtlpHistograms::Exponential, configure)), (0, 1));
    });
}

#[test]
fn explicit_histograms_can_replace_native_ones() {
    in_own_process(|| {
        metrics::builder().native_histograms(NativeHistograms::new()).init().unwrap();
        let data = pushed(OtlpHistograms::Explicit, || ());
        let Data::Histogram(histogram) = data else { panic!("{data:?}") };
        let point = &histogram.data_points[0];
        assert_eq!((point.count, point.bucket_counts.iter().sum::<u64>()), (1, 1));
        assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
    });
}

#[test]
fn exponential_histograms_are_refused_once_there_are_others() {
    let _turn = turn();
    act();
    let said = Otlp::builder().histograms(OtlpHistograms::Exponential).start().unwrap_err().to_string();
    let expected = "histograms is `base2_exponential_bucket_histogram`; expected to be set before the first tracked call";
    assert!(said.starts_with(expected), "{said}");
}
