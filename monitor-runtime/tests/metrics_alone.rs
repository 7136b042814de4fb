//! A crate without default features configures its metrics. Run by itself, with no feature at all, it shows that `health` is not needed.

use monitor_runtime::metrics;

#[test]
fn metrics_are_configured_without_a_monitor() {
    metrics::builder().query_buckets([0.5]).series_limit(7).init().unwrap();
    let refused = metrics::builder().query_buckets([0.5]).init().unwrap_err();
    assert_eq!(
        refused.to_string(),
        "series_limit is 7 in this process, so 2000 cannot take effect; expected equal settings each time, \
         where a setting that is left out has its default"
    );
}
