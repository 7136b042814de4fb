//! Families of users' that some scraper cannot read: they are left out, and all others are read.

use monitor_runtime::testing::capture_logs;
use monitor_runtime::{Monitor, track_agent};
use prometheus::proto::{MetricFamily, MetricType};
use prometheus::{IntCounter, Registry};

use crate::exposition::prometheus::served;
use crate::exposition::readers::{promtool, python};
use crate::exposition::{OPEN_METRICS, PROTOBUF, TEXT, scrape, text};
use crate::support::exposition::Exposition;
use crate::support::prometheus::Prometheus;
use crate::support::theirs::{Gives, counter, family, gauge, histogram, series, summary};

const INFINITY: f64 = f64::INFINITY;

#[track_agent("beside_unreadable")]
fn agent() {}

/// A label, and a word of the warning.
type Bad = (MetricFamily, &'static str);

fn of_names() -> Vec<Bad> {
    let named = |name: &str| family(name, MetricType::GAUGE, vec![gauge(&[], 1.0)]);
    let labelled = |name: &str| family("bad", MetricType::GAUGE, vec![gauge(&[(name, "1")], 1.0)]);
    vec![
        (named("http.server.bad"), "no metric name"),
        (named("bad-dash"), "no metric name"),
        (named("9bad"), "no metric name"),
        (named("bad name"), "no metric name"),
        (named("bad\nname 1"), "no metric name"),
        (named("bäd"), "no metric name"),
        (
            family("_total", MetricType::COUNTER, vec![counter(&[("of", "bad")], 1.0)]),
            "nothing without `_total`",
        ),
        (labelled("http.route"), "no label name"),
        (labelled(""), "no label name"),
        (labelled("9"), "no label name"),
        (labelled("a:b"), "no label name"),
        (labelled("ä"), "no label name"),
        (labelled("a=\"b\",c"), "no label name"),
        (labelled("__name__"), "no label name"),
        (labelled("__hidden"), "no label name"),
        (family("bad", MetricType::GAUGE, vec![gauge(&[("a", "1"), ("a", "2")], 1.0)]), "label `a` twice"),
        (family("bad", MetricType::HISTOGRAM, vec![histogram(&[("le", "1")], &[], 0, 0.0)]), "label `le`"),
        (
            family("bad", MetricType::SUMMARY, vec![summary(&[("quantile", "1")], &[], 0, 0.0)]),
            "label `quantile`",
        ),
        (family("bad", MetricType::UNTYPED, vec![series(&[])]), "untyped"),
    ]
}

fn of_series() -> Vec<Bad> {
    let twice = |one: &[(&str, &str)], other: &[(&str, &str)]| {
        (family("bad", MetricType::GAUGE, vec![gauge(one, 1.0), gauge(other, 2.0)]), "given twice")
    };
    vec![
        twice(&[], &[]),
        twice(&[("a", "1"), ("b", "2")], &[("b", "2"), ("a", "1")]),
        twice(&[("a", "1"), ("b", "")], &[("a", "1")]),
        (
            family(
                "bad",
                MetricType::HISTOGRAM,
                vec![histogram(&[], &[(1.0, 1)], 1, 1.0), histogram(&[], &[(2.0, 1)], 1, 1.0)],
            ),
            "given twice",
        ),
    ]
}

fn of_values() -> Vec<Bad> {
    let counters =
        |value| (family("bad_total", MetricType::COUNTER, vec![counter(&[], value)]), "expected 0 or more");
    let buckets = |buckets: &[(f64, u64)], word| {
        (family("bad", MetricType::HISTOGRAM, vec![histogram(&[("a", "1")], buckets, 3, 1.0)]), word)
    };
    let quantiles = |quantiles: &[(f64, f64)], word| {
        (family("bad", MetricType::SUMMARY, vec![summary(&[], quantiles, 3, 1.0)]), word)
    };
    let mut before_1970 = gauge(&[], 1.0);
    before_1970.set_timestamp_ms(-1);
    vec![
        (family("bad", MetricType::GAUGE, vec![before_1970]), "before 1970"),
        counters(-1.0),
        counters(f64::NAN),
        counters(f64::NEG_INFINITY),
        buckets(&[(2.0, 1), (1.0, 2)], "does not ascend"),
        buckets(&[(1.0, 1), (1.0, 1)], "does not ascend"),
        buckets(&[(f64::NAN, 1)], "does not ascend"),
        buckets(&[(INFINITY, 3), (INFINITY, 3)], "does not ascend"),
        buckets(&[(1.0, 2), (2.0, 1)], "fewer than"),
        buckets(&[(1.0, 4)], "all buckets together"),
        buckets(&[(1.0, 1), (INFINITY, 2)], "all buckets together"),
        quantiles(&[(0.5, 1.0), (0.5, 2.0)], "given twice"),
        quantiles(&[(1.5, 1.0)], "expected 0 to 1"),
        quantiles(&[(-0.5, 1.0)], "expected 0 to 1"),
        quantiles(&[(f64::NAN, 1.0)], "expected 0 to 1"),
    ]
}

fn of_two_types() -> Vec<Bad> {
    let one_of = |kind: MetricType, label: &str| {
        let labels = [("a", label)];
        match kind {
            MetricType::COUNTER => counter(&labels, 7.0),
            MetricType::GAUGE => gauge(&labels, f64::NAN),
            MetricType::HISTOGRAM => histogram(&labels, &[(1.0, 1)], 1, 0.5),
            _ => summary(&labels, &[(0.5, 1.0)], 1, 1.0),
        }
    };
    let kinds = [MetricType::COUNTER, MetricType::GAUGE, MetricType::HISTOGRAM, MetricType::SUMMARY];
    let pairs = kinds.into_iter().flat_map(|one| kinds.map(|other| (one, other)));
    let merged = pairs.filter(|(one, other)| one != other).map(|(one, other)| {
        (family("bad", one, vec![one_of(one, "1"), one_of(other, "2")]), "of another type than the metric")
    });
    merged.collect()
}

fn of_our_names() -> Vec<Bad> {
    let named =
        |name: &str| (family(name, MetricType::GAUGE, vec![gauge(&[], 1.0)]), "that of another metric");
    let mut all: Vec<_> = [
        "agent_executions_total",
        "agent_executions_created",
        "agent_execution_duration_seconds",
        "agent_execution_duration_seconds_bucket",
        "agent_execution_duration_seconds_sum",
        "agent_execution_duration_seconds_count",
        "agent_execution_duration_seconds_created",
        "agent_objective_info",
        "build_info",
        "log_events_total",
        "health_ready",
    ]
    .map(named)
    .into();
    // One whose samples would be ours.
    all.push((family("agent", MetricType::HISTOGRAM, vec![histogram(&[], &[], 0, 0.0)]), ""));
    all.push((
        family("active_agents", MetricType::SUMMARY, vec![summary(&[], &[], 0, 0.0)]),
        "that of another metric",
    ));
    all.retain(|(_, word)| !word.is_empty());
    all
}

fn holds(scrape: &[u8], name: &str) -> bool {
    scrape.windows(name.len()).any(|bytes| bytes == name.as_bytes())
}

/// A monitor whose registry gives `theirs` beside a good metric.
fn beside(theirs: Vec<MetricFamily>) -> Monitor {
    registry_beside(theirs).1
}

fn registry_beside(theirs: Vec<MetricFamily>) -> (Registry, Monitor) {
    let registry = Registry::new();
    let monitor = Monitor::builder().registry(registry.clone()).build().unwrap();
    registry.register(Box::new(IntCounter::new("good_total", "Good.").unwrap())).unwrap();
    registry.register(Gives::new("given", theirs)).unwrap();
    agent();
    (registry, monitor)
}

/// All three forms of a scrape, which every reader reads and which hold what is good.
#[track_caller]
fn read_by_everyone(monitor: &Monitor) -> [Vec<u8>; 3] {
    let forms = [TEXT, OPEN_METRICS, PROTOBUF].map(|form| scrape(monitor, form).to_vec());
    for (form, name) in forms.iter().zip(["text", "openmetrics", "protobuf"]) {
        for good in ["good", "beside_unreadable", "build_info", "process_open_fds", "log_events"] {
            assert!(holds(form, good), "{name}: {good}");
        }
        if name != "protobuf" {
            python(name, text(form)).unwrap_or_else(|said| panic!("{said}\n{}", text(form)));
        }
    }
    promtool(text(&forms[0])).unwrap_or_else(|said| panic!("{said}\n{}", text(&forms[0])));
    Exposition::parse(text(&forms[0])).unwrap_or_else(|violation| panic!("{violation}\n{}", text(&forms[0])));
    forms
}

/// Has Prometheus scrape each form, and hands it over with the job's name once it has read that form.
fn each_form_in_prometheus(monitor: &Monitor, look: impl Fn(&Prometheus, &str)) {
    let (_runtime, address) = served(monitor);
    let texts = Prometheus::scraping(address, &["/health/metrics", "/text"], "");
    let protobuf = Prometheus::scraping(address, &["/health/metrics"], "native-histograms");
    for (prometheus, job) in [(&texts, "/health/metrics"), (&texts, "/text"), (&protobuf, "/health/metrics")]
    {
        prometheus.wait_for(&format!(r#"up{{job="{job}"}}"#), 1.0);
        look(prometheus, job);
    }
}

#[track_caller]
fn each_is_left_out(all: Vec<Bad>) {
    for (bad, word) in all {
        let (name, shown) = (bad.name().to_owned(), format!("{bad:?}"));
        let monitor = beside(vec![bad]);
        let mut forms = [const { Vec::new() }; 3];
        let said = capture_logs(|| forms = read_by_everyone(&monitor));
        assert_eq!(said.len(), 3, "said once a scrape: {shown}: {said:?}");
        for line in said {
            assert_eq!(
                (&line["level"], &line["metric"]),
                (&"warn".into(), &name.as_str().into()),
                "{line:?}"
            );
            assert!(line["error"].as_str().is_some_and(|error| error.contains(word)), "{shown}: {line:?}");
        }
        if name.contains("bad") || name.contains("bäd") {
            assert!(forms.iter().all(|form| !holds(form, &name)), "{shown}");
        }
    }
}

#[test]
fn a_family_with_a_name_that_no_scraper_reads_is_left_out() {
    each_is_left_out(of_names());
}

#[test]
fn a_family_that_gives_a_series_twice_is_left_out() {
    each_is_left_out(of_series());
}

#[test]
fn a_family_whose_values_contradict_its_type_is_left_out() {
    each_is_left_out(of_values());
}

#[test]
fn a_family_with_values_of_two_types_is_left_out() {
    each_is_left_out(of_two_types());
}

#[test]
fn a_name_that_two_collectors_give_different_types_is_left_out() {
    let (registry, monitor) = registry_beside(vec![]);
    for (name, kind, metric) in [
        ("one", MetricType::GAUGE, gauge(&[("a", "1")], 1.0)),
        ("two", MetricType::COUNTER, counter(&[("a", "2")], 7.0)),
    ] {
        registry.register(Gives::new(name, vec![family("bad", kind, vec![metric])])).unwrap();
    }
    let mut forms = [const { Vec::new() }; 3];
    let said = capture_logs(|| forms = read_by_everyone(&monitor));
    assert_eq!(said.len(), 3, "said once a scrape: {said:?}");
    assert!(forms.iter().all(|form| !holds(form, "bad")), "{}", text(&forms[0]));
}

#[test]
fn a_family_under_one_of_our_names_is_left_out_and_ours_stays() {
    each_is_left_out(of_our_names());
    let theirs = family("log_events_total", MetricType::GAUGE, vec![gauge(&[("level", "theirs")], 7.0)]);
    let monitor = beside(vec![theirs]);
    let scrape = scrape(&monitor, TEXT);
    let read = Exposition::parse(text(&scrape)).unwrap();
    assert!(read.series("log_events_total", &[("level", "info")]).is_some());
    assert!(read.series("log_events_total", &[("level", "theirs")]).is_none());
}

#[test]
fn of_two_families_with_samples_of_one_name_the_first_stays() {
    let theirs = || {
        vec![
            family("wait", MetricType::HISTOGRAM, vec![histogram(&[], &[(1.0, 1)], 1, 0.5)]),
            family("wait_count", MetricType::GAUGE, vec![gauge(&[], 7.0)]),
        ]
    };
    let monitor = beside(theirs());
    let [text_form, ..] = read_by_everyone(&monitor);
    assert!(text(&text_form).contains("\nwait_count 1\n") && !text(&text_form).contains("wait_count 7"));
}

#[test]
fn a_counter_is_shown_beside_a_gauge_named_like_its_creation() {
    let monitor = beside(vec![
        family("jobs_created", MetricType::GAUGE, vec![gauge(&[], 3.0)]),
        family("jobs_total", MetricType::COUNTER, vec![counter(&[], 7.0)]),
    ]);
    let mut forms = [const { Vec::new() }; 3];
    let said = capture_logs(|| forms = read_by_everyone(&monitor));
    assert!(said.is_empty(), "{said:?}");
    assert!(text(&forms[0]).contains("\n# TYPE jobs_total counter\njobs_total 7\n"));
    assert!(text(&forms[1]).contains("\n# TYPE jobs_total unknown\n"), "{}", text(&forms[1]));
    assert!(text(&forms[1]).contains("\njobs_total 7\n"));
    assert!(holds(&forms[2], "jobs_total"));
}

#[test]
fn one_family_of_each_bad_kind_costs_prometheus_nothing() {
    let all = [of_names(), of_series(), of_values(), of_two_types(), of_our_names()].concat();
    let monitor = beside(all.into_iter().map(|(bad, _)| bad).collect());
    each_form_in_prometheus(&monitor, |prometheus, job| {
        prometheus.wait_for(&format!(r#"good_total{{job="{job}"}}"#), 0.0);
        prometheus.wait_for(&format!(r#"count({{job="{job}",__name__=~".*bad.*"}} or vector(0))"#), 1.0);
    });
}

/// Unusual, and read by everyone.
fn unusual() -> Vec<MetricFamily> {
    let mut helpful = family("helped", MetricType::GAUGE, vec![gauge(&[], f64::NAN)]);
    helpful.set_help("One \"line\",\nand \\ another.\r".to_owned());
    let mut unhelped =
        family("unhelped", MetricType::GAUGE, vec![gauge(&[("le", "1"), ("quantile", "2")], INFINITY)]);
    unhelped.set_help(String::new());
    let mut stamped = gauge(&[("a", "1")], f64::NEG_INFINITY);
    stamped.set_timestamp_ms(1_700_000_000_004);
    vec![
        helpful,
        unhelped,
        family(
            "stamped",
            MetricType::GAUGE,
            vec![stamped, gauge(&[("b", "nul \0 \r \u{85} \" \\ \n")], 1e300)],
        ),
        family("infinite_total", MetricType::COUNTER, vec![counter(&[], INFINITY)]),
        family("rules:of:five", MetricType::GAUGE, vec![gauge(&[("_a", "1")], -0.5)]),
        family("whole", MetricType::HISTOGRAM, vec![histogram(&[], &[(0.5, 1), (INFINITY, 3)], 3, 9.5)]),
        family("below", MetricType::HISTOGRAM, vec![histogram(&[], &[(-10.0, 1), (0.0, 2)], 3, -4.5)]),
        family("fell", MetricType::HISTOGRAM, vec![histogram(&[], &[(1.0, 2)], 2, -4.5)]),
        family("lost", MetricType::HISTOGRAM, vec![histogram(&[], &[(1.0, 2)], 2, f64::NAN)]),
        family(
            "cold",
            MetricType::SUMMARY,
            vec![summary(&[], &[(0.0, f64::NAN), (0.5, -1.5), (1.0, INFINITY)], 2, -3.0)],
        ),
        family("wait", MetricType::SUMMARY, vec![summary(&[], &[(0.99, 2.0), (0.5, 1.0)], 2, 3.0)]),
    ]
}

#[test]
fn a_family_that_is_only_unusual_is_shown_as_each_form_asks() {
    let monitor = beside(unusual());
    let mut forms = [const { Vec::new() }; 3];
    let said = capture_logs(|| forms = read_by_everyone(&monitor));
    assert!(said.is_empty(), "{said:?}");
    let [plain, open_metrics, _] = forms;
    for expected in [
        "# HELP helped One \"line\",\\nand \\\\ another.\r\n# TYPE helped gauge\nhelped NaN\n",
        "\n# TYPE unhelped gauge\nunhelped{le=\"1\",quantile=\"2\"} +Inf\n",
        "\nstamped{a=\"1\"} -Inf 1700000000004\n",
        "\ninfinite_total +Inf\n",
        "\nrules:of:five{_a=\"1\"} -0.5\n",
        "\nwhole_bucket{le=\"0.5\"} 1\nwhole_bucket{le=\"+Inf\"} 3\nwhole_sum 9.5\nwhole_count 3\n",
        "\nbelow_bucket{le=\"-10\"} 1\nbelow_bucket{le=\"0\"} 2\nbelow_bucket{le=\"+Inf\"} 3\nbelow_sum -4.5\n",
        "\nlost_sum NaN\nlost_count 2\n",
        "\ncold{quantile=\"0\"} NaN\ncold{quantile=\"0.5\"} -1.5\ncold{quantile=\"1\"} +Inf\ncold_sum -3\ncold_count 2\n",
    ] {
        assert!(text(&plain).contains(expected), "{expected}\n{}", text(&plain));
    }
    for expected in [
        "# HELP helped One \\\"line\\\",\\nand \\\\ another.\r\n",
        "\nstamped{a=\"1\"} -Inf 1700000000.004\n",
        "\nbelow_bucket{le=\"-10.0\"} 1\nbelow_bucket{le=\"0.0\"} 2\nbelow_bucket{le=\"+Inf\"} 3\n# TYPE",
        "\nfell_bucket{le=\"+Inf\"} 2\n# TYPE",
        "\nlost_bucket{le=\"+Inf\"} 2\n# TYPE",
        "\ncold{quantile=\"0.0\"} NaN\ncold{quantile=\"1.0\"} +Inf\ncold_count 2\n",
    ] {
        assert!(text(&open_metrics).contains(expected), "{expected}\n{}", text(&open_metrics));
    }
}

#[test]
fn prometheus_reads_what_is_only_unusual() {
    each_form_in_prometheus(&beside(unusual()), |prometheus, job| {
        prometheus.wait_for(&format!(r#"unhelped{{job="{job}"}}"#), INFINITY);
        prometheus.wait_for(&format!(r#"below_bucket{{job="{job}",le="+Inf"}}"#), 3.0);
        prometheus.wait_for(&format!(r#"wait{{job="{job}",quantile="0.99"}}"#), 2.0);
    });
}
