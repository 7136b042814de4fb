//! The strict exposition reader that the other tests rely on, tested itself.

use crate::support::exposition::{Exposition, Kind, Rule};

const SCRAPE: &str = r#"# HELP calls_total Calls, by \\ or\nby line.
# TYPE calls_total counter
calls_total{agent_id="planner",status="success"} 3
calls_total{agent_id="planner",status="error"} 0
# HELP active Calls running.
# TYPE active gauge
active -2.5e-1 1700000000000
# HELP seconds Time.
# TYPE seconds histogram
seconds_bucket{a="x",le="0.5"} 1
seconds_bucket{a="x",le="+Inf"} 2
seconds_sum{a="x"} 1.25
seconds_count{a="x"} 2
seconds_bucket{a="y",le="0.5"} 0
seconds_bucket{a="y",le="+Inf"} 0
seconds_sum{a="y"} 0
seconds_count{a="y"} 0
"#;

/// Asserts that the text breaks that rule on that line.
#[track_caller]
fn refuses(text: &str, line: usize, rule: Rule) {
    let violation = Exposition::parse(text).expect_err("the text was taken");
    assert_eq!((violation.line, violation.rule), (line, rule), "{violation}");
}

/// A counter `c` with these samples.
fn counter(samples: &str) -> String {
    format!("# HELP c Help.\n# TYPE c counter\n{samples}")
}

/// A histogram `h` with these samples; its first sample is on line 3.
fn histogram(samples: &str) -> String {
    format!("# HELP h Help.\n# TYPE h histogram\n{samples}")
}

#[test]
fn a_good_scrape_is_read_whole() {
    let scrape = Exposition::read(SCRAPE);
    let names: Vec<_> = scrape.families().iter().map(|family| (family.name.as_str(), family.kind)).collect();
    assert_eq!(
        names,
        [
            ("calls_total", Some(Kind::Counter)),
            ("active", Some(Kind::Gauge)),
            ("seconds", Some(Kind::Histogram))
        ]
    );
    assert_eq!(scrape.family("seconds").map(|family| family.samples.len()), Some(8));
}

#[test]
fn a_series_is_found_by_its_labels_in_any_order() {
    let scrape = Exposition::read(SCRAPE);
    assert_eq!(scrape.value("calls_total", &[("status", "success"), ("agent_id", "planner")]), Some(3.0));
    assert_eq!(scrape.value("seconds_bucket", &[("a", "x"), ("le", "+Inf")]), Some(2.0));
    assert_eq!(scrape.samples("calls_total").count(), 2);
}

#[test]
fn a_series_is_not_found_by_some_of_its_labels() {
    let scrape = Exposition::read(SCRAPE);
    assert_eq!(scrape.value("calls_total", &[("agent_id", "planner")]), None);
    assert_eq!(scrape.value("calls_total", &[]), None);
    assert_eq!(scrape.value("nothing", &[]), None);
}

#[test]
fn help_text_is_unescaped() {
    let scrape = Exposition::read(SCRAPE);
    let help = scrape.family("calls_total").and_then(|family| family.help.as_deref());
    assert_eq!(help, Some("Calls, by \\ or\nby line."));
}

#[test]
fn label_values_are_unescaped() {
    let scrape = Exposition::read(&counter("c{a=\"q\\\" b\\\\ n\\n }{,= ü\"} 1\n"));
    assert_eq!(scrape.value("c", &[("a", "q\" b\\ n\n }{,= ü")]), Some(1.0));
}

#[test]
fn a_timestamp_is_read() {
    let scrape = Exposition::read(SCRAPE);
    assert_eq!(scrape.series("active", &[]).and_then(|sample| sample.timestamp), Some(1_700_000_000_000));
}

#[test]
fn values_may_be_infinite_or_not_a_number() {
    let scrape = Exposition::read("# TYPE g gauge\ng{a=\"1\"} +Inf\ng{a=\"2\"} -Inf\ng{a=\"3\"} NaN\n");
    assert_eq!(scrape.value("g", &[("a", "1")]), Some(f64::INFINITY));
    assert_eq!(scrape.value("g", &[("a", "2")]), Some(f64::NEG_INFINITY));
    assert!(scrape.value("g", &[("a", "3")]).is_some_and(f64::is_nan));
}

#[test]
fn a_series_is_found_by_its_text_with_labels_in_any_order() {
    let scrape = Exposition::read("# TYPE g gauge\ng{a=\"1\",b=\"\\\"\"} 2\ng{a=\"1\"} 0.5\n");
    assert_eq!(scrape.at("g{b=\"\\\"\",a=\"1\"}"), Some(2.0));
    assert_eq!(scrape.count("g{a=\"1\",b=\"\\\"\"}"), Some(2));
    assert_eq!(scrape.at("g{a=\"1\"}"), Some(0.5));
    assert_eq!(scrape.at("g"), None);
    for malformed in ["", "g{", "g{a=1}", "g{a=\"1\"} ", "g 0.5"] {
        assert!(std::panic::catch_unwind(|| scrape.at(malformed)).is_err(), "{malformed}");
    }
    assert!(std::panic::catch_unwind(|| scrape.count("g{a=\"1\"}")).is_err(), "half is not a count");
}

#[test]
fn one_family_is_read_without_its_neighbours() {
    let text = "# HELP a A.\n# TYPE a gauge\na 1\n# TYPE a_b gauge\na_b 2\nmalformed\n";
    let scrape = Exposition::read_family(text, "a");
    assert_eq!((scrape.at("a"), scrape.at("a_b")), (Some(1.0), None));
    assert_eq!(Exposition::read_family(text, "c").families(), []);
    assert!(std::panic::catch_unwind(|| Exposition::read_family(text, "a_b")).is_err());
}

#[test]
fn the_total_of_a_counter_is_the_sum_of_its_series() {
    let scrape = Exposition::read(&counter("c{a=\"1\"} 2\nc{a=\"2\"} 40\n"));
    assert_eq!((scrape.total("c"), scrape.total("d")), (42, 0));
}

#[test]
fn nothing_is_a_scrape_without_families() {
    assert_eq!(Exposition::read("").families(), []);
}

#[test]
fn a_summary_owns_its_quantiles_sum_and_count() {
    let scrape = Exposition::read("# TYPE s summary\ns{quantile=\"0.5\"} 1\ns_sum 2\ns_count 3\n");
    assert_eq!(scrape.family("s").map(|family| family.samples.len()), Some(3));
}

#[test]
fn a_violation_names_line_rule_and_what_was_found() {
    let violation = Exposition::parse("# TYPE c counting\n").expect_err("there is no such type");
    assert_eq!(
        violation.to_string(),
        "line 1: a type is counter, gauge, histogram, summary or untyped, found `counting`"
    );
}

#[test]
fn the_text_ends_with_a_newline() {
    refuses(&counter("c 1"), 3, Rule::NoFinalNewline);
}

#[test]
fn blank_lines_and_comments_are_refused() {
    refuses("\n", 1, Rule::NoBlankLine);
    refuses("# TYPE c counter\n  \n", 2, Rule::NoBlankLine);
    refuses("# EOF\n", 1, Rule::NoComment);
    refuses("#TYPE c counter\n", 1, Rule::NoComment);
}

#[test]
fn metadata_after_samples_is_refused() {
    refuses("# TYPE c counter\nc 1\n# HELP c Late.\n", 3, Rule::MetadataFirst);
    refuses("# HELP c Help.\nc 1\n# TYPE c counter\n", 2, Rule::NoType);
}

#[test]
fn metadata_given_twice_is_refused() {
    refuses("# HELP c One.\n# HELP c Two.\n", 2, Rule::OneHelp);
    refuses("# TYPE c counter\n# TYPE c counter\n", 2, Rule::OneType);
}

#[test]
fn scattered_families_are_refused() {
    let scattered = "# TYPE a gauge\na{x=\"1\"} 1\n# TYPE b gauge\nb 1\na{x=\"2\"} 1\n";
    refuses(scattered, 5, Rule::NotGrouped);
    refuses("# TYPE a gauge\n# TYPE b gauge\n# HELP a Late.\n", 3, Rule::NotGrouped);
}

#[test]
fn a_sample_that_two_families_claim_is_refused() {
    refuses("# TYPE h_count counter\n# TYPE h histogram\nh_count 1\n", 3, Rule::NotGrouped);
}

#[test]
fn unknown_types_are_refused() {
    refuses("# TYPE c info\n", 1, Rule::KnownType);
    refuses("# TYPE c\n", 1, Rule::KnownType);
    refuses("# TYPE c counter \n", 1, Rule::KnownType);
}

#[test]
fn samples_without_a_type_are_refused() {
    refuses("c 1\n", 1, Rule::NoType);
    refuses("# HELP c Help.\nc 1\n", 2, Rule::NoType);
    refuses("# TYPE h histogram\nh 1\n", 2, Rule::NoType);
    refuses("# TYPE c counter\nc_count 1\n", 2, Rule::NoType);
}

#[test]
fn help_without_text_is_refused() {
    refuses("# HELP c\n", 1, Rule::HelpText);
    refuses("# HELP c \n", 1, Rule::HelpText);
}

#[test]
fn bad_metric_names_are_refused() {
    for name in ["9c", "a-b", "ü", "a.b"] {
        refuses(&format!("# HELP {name} Help.\n"), 1, Rule::MetricName);
        refuses(&format!("# TYPE {name} gauge\n"), 1, Rule::MetricName);
        refuses(&format!("{name} 1\n"), 1, Rule::MetricName);
    }
    refuses(" c 1\n", 1, Rule::MetricName);
}

#[test]
fn bad_label_names_are_refused() {
    for name in ["", "9", "a-b", "a:b", " a", "__reserved"] {
        refuses(&counter(&format!("c{{{name}=\"x\"}} 1\n")), 3, Rule::LabelName);
    }
}

#[test]
fn bad_escapes_are_refused() {
    refuses(&counter("c{a=\"\\t\"} 1\n"), 3, Rule::LabelEscape);
    refuses("# HELP c A \\\"quote\\\".\n", 1, Rule::HelpEscape);
    refuses("# HELP c Ends in \\\n", 1, Rule::HelpEscape);
}

#[test]
fn malformed_labels_are_refused() {
    for labels in
        ["{}", "{a}", "{a=x}", "{a=\"x}", "{a=\"x\"", "{a=\"x\",}", "{a=\"x\" ,b=\"y\"}", "{a=\"x\\\"}"]
    {
        refuses(&counter(&format!("c{labels} 1\n")), 3, Rule::Labels);
    }
}

#[test]
fn labels_given_twice_are_refused() {
    refuses(&counter("c{a=\"x\",a=\"y\"} 1\n"), 3, Rule::DuplicateLabel);
}

#[test]
fn series_given_twice_are_refused() {
    refuses(&counter("c{a=\"x\",b=\"y\"} 1\nc{b=\"y\",a=\"x\"} 1\n"), 4, Rule::DuplicateSeries);
    refuses(&counter("c 1\nc 1\n"), 4, Rule::DuplicateSeries);
}

#[test]
fn bad_values_are_refused() {
    for value in ["", "x", "inf", "nan", "Infinity", "0x1", "1,5", "1_000", "--1"] {
        refuses(&counter(&format!("c {value}\n")), 3, Rule::Value);
    }
    refuses(&counter("c\n"), 3, Rule::Value);
    refuses(&counter("c{a=\"x\"}1\n"), 3, Rule::Value);
    refuses(&counter("c  1\n"), 3, Rule::Value);
}

#[test]
fn trailing_garbage_is_refused() {
    refuses(&counter("c 1 x\n"), 3, Rule::Timestamp);
    refuses(&counter("c 1 1.5\n"), 3, Rule::Timestamp);
    refuses(&counter("c 1 \n"), 3, Rule::Timestamp);
    refuses(&counter("c 1 5 # {}\n"), 3, Rule::NothingAfterSample);
    refuses(&counter("c 1\r\n"), 3, Rule::Value);
}

#[test]
fn negative_counters_are_refused() {
    refuses(&counter("c -1\n"), 3, Rule::CounterNotNegative);
    refuses(&counter("c NaN\n"), 3, Rule::CounterNotNegative);
}

#[test]
fn a_bucket_without_a_bound_is_refused() {
    refuses(&histogram("h_bucket 1\n"), 3, Rule::BucketBound);
    refuses(&histogram("h_bucket{le=\"wide\"} 1\n"), 3, Rule::BucketBound);
    refuses(&histogram("h_bucket{le=\"NaN\"} 1\n"), 3, Rule::BucketBound);
}

#[test]
fn buckets_out_of_order_are_refused() {
    refuses(&histogram("h_bucket{le=\"2\"} 1\nh_bucket{le=\"1\"} 1\n"), 4, Rule::BucketOrder);
    refuses(&histogram("h_bucket{le=\"1\"} 1\nh_bucket{le=\"1.0\"} 1\n"), 4, Rule::BucketOrder);
}

#[test]
fn buckets_that_are_not_cumulative_are_refused() {
    refuses(&histogram("h_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 1\n"), 4, Rule::BucketsCumulative);
}

#[test]
fn a_histogram_without_an_infinity_bucket_is_refused() {
    refuses(&histogram("h_bucket{le=\"1\"} 1\nh_sum 1\nh_count 1\n"), 3, Rule::InfinityBucket);
    refuses(&histogram("h_sum 1\nh_count 1\n"), 3, Rule::InfinityBucket);
}

#[test]
fn a_histogram_without_sum_or_count_is_refused() {
    refuses(&histogram("h_bucket{le=\"+Inf\"} 1\nh_count 1\n"), 3, Rule::HistogramSum);
    refuses(&histogram("h_bucket{le=\"+Inf\"} 1\nh_sum 1\n"), 3, Rule::HistogramCount);
}

#[test]
fn a_count_that_is_not_the_infinity_bucket_is_refused() {
    refuses(&histogram("h_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 2\n"), 5, Rule::CountIsInfinityBucket);
}

#[test]
fn every_label_set_of_a_histogram_is_checked_by_itself() {
    let one_whole = "h_bucket{a=\"x\",le=\"+Inf\"} 1\nh_sum{a=\"x\"} 1\nh_count{a=\"x\"} 1\n";
    refuses(&histogram(&format!("{one_whole}h_sum{{a=\"y\"}} 1\n")), 6, Rule::InfinityBucket);
}
