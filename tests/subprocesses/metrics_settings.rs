//! The configuration of the process's metrics: once, all or nothing, the same rule for every setting.

use monitor_runtime::metrics::{self, BucketError, MetricsBuilder, MetricsError, NativeHistograms};
use monitor_runtime::{track_agent, track_skill};

use crate::support::exposition::Exposition;
use crate::support::subprocess::in_own_process;

#[track_agent(id = id)]
fn agent(id: &str) {}

#[track_skill("configured")]
fn skill() {}

#[track_caller]
fn refusal(builder: MetricsBuilder) -> String {
    builder.init().expect_err("refused").to_string()
}

/// The bounds of the first series of a family.
fn bounds(family: &str) -> Vec<String> {
    let scrape = Exposition::read(&metrics::render());
    let name = format!("{family}_bucket");
    let mut bounds: Vec<_> =
        scrape.samples(&name).map(|bucket| bucket.label("le").unwrap().to_owned()).collect();
    bounds.truncate(bounds.iter().position(|bound| bound == "+Inf").unwrap());
    bounds
}

const AGENTS: &str = "agent_execution_duration_seconds";
const SKILLS: &str = "skill_execution_duration_seconds";

#[test]
fn buckets_that_make_no_histogram_are_refused() {
    let text = refusal(metrics::builder().agent_buckets([]));
    assert!(text.starts_with("invalid agent_buckets: no bucket bounds were given; expected"), "{text}");
    let text = refusal(metrics::builder().skill_buckets([1.0, 0.5]));
    assert!(text.starts_with("invalid skill_buckets: bucket bound 0.5 follows 1; expected"), "{text}");
    let text = refusal(metrics::builder().query_buckets([f64::NAN]));
    assert!(text.starts_with("invalid query_buckets: bucket bound NaN is not"), "{text}");
    let text = refusal(metrics::builder().http_buckets([1.0, f64::INFINITY]));
    assert!(text.starts_with("invalid http_buckets: bucket bound inf is not"), "{text}");
}

#[test]
fn a_series_limit_of_zero_is_refused() {
    assert_eq!(
        refusal(metrics::builder().series_limit(0)),
        "the series limit is zero; expected at least 1 series a metric (2000 by default)"
    );
}

#[test]
fn native_histograms_that_make_no_histogram_are_refused() {
    let refused = |settings| refusal(metrics::builder().native_histograms(settings));
    assert_eq!(
        refused(NativeHistograms::new().growth(1.0)),
        "invalid native_histograms: buckets cannot grow by a factor of 1; expected one from 1.003 to 65536, such as 1.1"
    );
    assert_eq!(
        refused(NativeHistograms::new().max_buckets(3)),
        "invalid native_histograms: a limit of 3 buckets is too low; expected at least 8 (160 by default)"
    );
}

#[test]
fn a_refused_value_leaves_all_settings_as_they_were() {
    in_own_process(|| {
        let given = || metrics::builder().agent_buckets([1.0, 2.0]).series_limit(1);
        let refused = given().http_buckets([0.1, 0.1]).init();
        let reason = BucketError::Unsorted { previous: 0.1, bound: 0.1 };
        assert_eq!(refused, Err(MetricsError::Buckets { setting: "http_buckets", reason }));
        given().series_limit(0).init().unwrap_err();
        given().native_histograms(NativeHistograms::new().growth(1.0)).init().unwrap_err();
        agent("a");
        agent("b");
        assert_eq!(bounds(AGENTS).len(), 16);
        let scrape = Exposition::parse(&metrics::render()).unwrap();
        let b = [("agent_id", "b"), ("status", "success")];
        assert_eq!(scrape.value("agent_executions_total", &b), Some(1.0), "the limit is not 1");
        // Nor does a refused one count as the configuration.
        metrics::builder().skill_buckets([3.0]).init().unwrap();
        skill();
        assert_eq!(bounds(SKILLS), ["3"]);
    });
}

#[test]
fn one_family_with_series_refuses_the_settings_of_all() {
    in_own_process(|| {
        skill();
        // Agents come first, and have no series.
        let given = metrics::builder().agent_buckets([1.0, 2.0]).series_limit(1).exemplars(true);
        assert_eq!(
            refusal(given.skill_buckets([0.5])),
            "skill_buckets is [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0] in series that exist, \
             so [0.5] cannot take effect; expected `init` before the first tracked call or request"
        );
        assert_eq!(
            refusal(metrics::builder().native_histograms(NativeHistograms::new())),
            "native_histograms is off in series that exist, so NativeHistograms { growth: 1.1, max_buckets: 160 } cannot take effect; \
             expected `init` before the first tracked call or request"
        );
        agent("a");
        agent("b");
        assert_eq!(bounds(AGENTS).len(), 16);
        assert!(!metrics::render().contains(r#"agent_id="__overflow__""#));
        // What asks nothing else of the series that exist may still be set.
        metrics::builder().query_buckets([0.5]).series_limit(2).exemplars(true).init().unwrap();
        agent("c");
        assert!(metrics::render().contains(r#"agent_id="__overflow__""#));
    });
}

#[test]
fn an_equal_configuration_is_accepted_again() {
    in_own_process(|| {
        let native = NativeHistograms::new().growth(1.05);
        let given = metrics::builder().agent_buckets([0.5, 5.0]).series_limit(9).exemplars(true);
        let given = given.native_histograms(native);
        given.clone().init().unwrap();
        given.clone().init().unwrap();
        agent("a");
        given.clone().init().unwrap();
        // A default that is given is the same as one that is left out.
        given.query_buckets([0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0]).init().unwrap();
        assert_eq!(bounds(AGENTS), ["0.5", "5"]);
    });
}

#[test]
fn another_configuration_names_the_setting_and_both_values() {
    in_own_process(|| {
        let native = NativeHistograms::new();
        let given = || metrics::builder().http_buckets([0.5]).series_limit(9).native_histograms(native);
        given().init().unwrap();
        let differs = |setting: &str, in_use: &str, given: &str| {
            format!(
                "{setting} is {in_use} in this process, so {given} cannot take effect; expected equal settings each time, \
                 where a setting that is left out has its default"
            )
        };
        assert_eq!(refusal(given().agent_buckets([1.0])), differs("agent_buckets", &defaults(), "[1.0]"));
        assert_eq!(refusal(given().http_buckets([2.0])), differs("http_buckets", "[0.5]", "[2.0]"));
        assert_eq!(refusal(given().series_limit(8)), differs("series_limit", "9", "8"));
        assert_eq!(refusal(given().exemplars(true)), differs("exemplars", "false", "true"));
        assert_eq!(
            refusal(metrics::builder().http_buckets([0.5]).series_limit(9)),
            differs("native_histograms", "NativeHistograms { growth: 1.1, max_buckets: 160 }", "off")
        );
        agent("a");
        assert_eq!(bounds(AGENTS).len(), 16);
    });
}

fn defaults() -> String {
    "[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0]".into()
}

#[test]
fn of_threads_that_configure_at_once_one_wins_with_all_settings() {
    in_own_process(|| {
        let set = |bound: u32| {
            let bounds = [f64::from(bound)];
            metrics::builder().agent_buckets(bounds).skill_buckets(bounds).init()
        };
        let results: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (1..=8).map(|bound| scope.spawn(move || set(bound))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let winners: Vec<_> = (1..=8).zip(&results).filter(|(_, result)| result.is_ok()).collect();
        assert_eq!(winners.len(), 1, "{results:?}");
        agent("a");
        skill();
        let wanted = [winners[0].0.to_string()];
        assert_eq!((bounds(AGENTS), bounds(SKILLS)), (wanted.to_vec(), wanted.to_vec()));
    });
}
