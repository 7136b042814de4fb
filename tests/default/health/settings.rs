//! Settings that a monitor is built of, and settings that it refuses.

use std::time::Duration;

use monitor_runtime::health::{CheckError, Policy, check_fn};
use monitor_runtime::http::GrpcServices;
use monitor_runtime::{BuildError, Monitor, MonitorBuilder, metrics};
use sqlx::sqlite::SqlitePool;

use crate::health::passing;
use crate::support::exposition::{Exposition, Sample};

fn refusal(builder: MonitorBuilder) -> String {
    builder.build().expect_err("refused").to_string()
}

#[test]
fn two_checks_of_one_name_are_refused() {
    let builder = Monitor::builder().check(passing("cache")).check(passing("cache"));
    assert_eq!(
        refusal(builder),
        "two checks are named `cache`; expected a unique name for each check of a monitor"
    );
}

#[test]
fn a_check_name_that_fits_no_label_is_refused() {
    assert_eq!(
        refusal(Monitor::builder().check(passing("My Cache"))),
        "invalid check name \"My Cache\"; expected a lower-case letter, then up to 62 lower-case letters, digits, `-` or `_`"
    );
}

#[test]
fn a_timeout_of_zero_is_refused() {
    let check = check_fn("cache", async || Ok::<_, CheckError>(())).timeout(Duration::ZERO);
    assert_eq!(
        refusal(Monitor::builder().check(check)),
        "check `cache` has a timeout of zero; expected a longer one, such as 5s"
    );
}

#[test]
fn an_interval_of_zero_is_refused() {
    assert_eq!(
        refusal(Monitor::builder().check_interval(Duration::ZERO)),
        "the check interval is zero; expected a longer one, such as 2s"
    );
}

#[test]
fn a_policy_of_zeros_is_refused_with_the_setting_that_is_zero() {
    let refused = |policy| refusal(Monitor::builder().check_with(policy, passing("cache")));
    let interval = Policy::non_critical().interval(Duration::ZERO);
    assert_eq!(refused(interval), "check `cache` has an interval of zero; expected a longer one, such as 2s");
    let timeout = Policy::critical().timeout(Duration::ZERO);
    assert_eq!(refused(timeout), "check `cache` has a timeout of zero; expected a longer one, such as 5s");
    let failures = Policy::critical().failure_threshold(0);
    assert_eq!(refused(failures), "check `cache` has a failure_threshold of zero; expected at least 1 run");
    let successes = Policy::critical().success_threshold(0);
    assert_eq!(refused(successes), "check `cache` has a success_threshold of zero; expected at least 1 run");
}

#[test]
fn an_unusable_bearer_token_is_refused_and_not_shown() {
    assert_eq!(
        refusal(Monitor::builder().bearer_token("")),
        "the bearer token is empty; expected a secret, such as the output of `openssl rand -hex 32`"
    );
    for token in ["hunter two", "hunter2\n", "huntér"] {
        assert_eq!(
            refusal(Monitor::builder().bearer_token(token)),
            "the bearer token has a character that is not allowed; expected letters, digits and `-._~+/=`"
        );
    }
    let builder = Monitor::builder().bearer_token("hunter2");
    assert!(!format!("{builder:?}").contains("hunter2"));
}

#[test]
fn a_shutdown_timeout_of_zero_is_refused() {
    assert_eq!(
        refusal(Monitor::builder().shutdown_timeout(Duration::ZERO)),
        "the shutdown timeout is zero; expected a longer one, such as 20s"
    );
}

#[test]
fn a_stop_that_does_not_fit_into_the_grace_period_is_refused() {
    let seconds = Duration::from_secs;
    let fits =
        Monitor::builder().drain_delay(seconds(20)).shutdown_timeout(seconds(39)).grace_period(seconds(60));
    fits.build().unwrap();
    let exceeds = Monitor::builder().drain_delay(seconds(10));
    assert_eq!(
        refusal(exceeds),
        "a drain delay of 10s and a shutdown timeout of 20s do not fit into the grace period of 30s; expected their sum to be below it: shorten one of them, or raise the orchestrator's grace period and set `grace_period` to it"
    );
    let no_last_lines = Monitor::builder().shutdown_timeout(Duration::from_millis(24_500));
    assert!(matches!(no_last_lines.build(), Err(BuildError::LastLines { .. })));
    let endless = Monitor::builder().drain_delay(Duration::MAX);
    assert!(matches!(endless.build(), Err(BuildError::GracePeriod { .. })));
}

#[test]
fn a_liveness_threshold_of_zero_is_refused() {
    assert_eq!(
        refusal(Monitor::builder().liveness_threshold(Duration::ZERO)),
        "the liveness threshold is zero; expected a longer one, such as 10s"
    );
}

#[test]
fn a_taken_admin_address_is_refused_naming_its_setting() {
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap();
    let reason =
        "Address already in use (os error 98); expected a free port of this machine, or port 0 for any";
    assert_eq!(
        refusal(Monitor::builder().admin_port(taken.port())),
        format!("admin_port cannot listen on {taken}: {reason}")
    );
    assert_eq!(
        refusal(Monitor::builder().admin_address(taken)),
        format!("admin_address cannot listen on {taken}: {reason}")
    );
}

#[test]
fn a_service_name_that_is_no_label_value_is_refused() {
    for name in ["", "my service", "-agents", "agents.", &"x".repeat(64)] {
        assert_eq!(
            refusal(Monitor::builder().service(name, "1.0")),
            format!(
                "invalid service name {name:?}; expected 1 to 63 letters, digits, `-`, `_` or `.`, the first and the last a letter or digit"
            )
        );
    }
}

#[test]
fn an_empty_version_is_refused() {
    assert_eq!(
        refusal(Monitor::builder().service("agents", "")),
        "the version of service `agents` is empty; expected a text such as \"1.4.2\""
    );
}

#[test]
fn a_registry_with_metrics_of_our_names_is_refused() {
    let registry = prometheus::Registry::new();
    let theirs = prometheus::IntCounter::new("log_events_dropped_total", "Another meaning.").unwrap();
    registry.register(Box::new(theirs)).unwrap();
    let error = Monitor::builder().registry(registry).build().unwrap_err();
    assert!(matches!(error, BuildError::Registry { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.starts_with("the given registry refuses our metrics (log_events_dropped_total: "), "{text}");
    assert!(text.ends_with("); expected a registry without metrics of the same names"), "{text}");
}

#[tokio::test]
async fn pools_without_a_name_of_their_own_are_refused() {
    let pool = SqlitePool::connect_lazy("sqlite::memory:").unwrap();
    assert_eq!(
        refusal(Monitor::builder().pool("main", &pool).pool("main", &pool)),
        "two pools are named `main`; expected a unique name for each pool of a monitor"
    );
    assert_eq!(
        refusal(Monitor::builder().pool("", &pool)),
        "a pool's name is empty; expected a text such as \"main\""
    );
}

#[test]
fn a_grpc_name_that_no_request_has_is_refused() {
    let refused = |service: &str, method: &str| {
        refusal(Monitor::builder().grpc(GrpcServices::new().service(service, [method])))
    };
    assert_eq!(
        refused("/agents.v1.Assistant", "Ask"),
        "invalid gRPC name \"/agents.v1.Assistant\"; expected the service as `package.Service` and each method by its name, \
         in letters, digits and `_`"
    );
    assert!(
        refused("agents.v1.Assistant", "Assistant/Ask").starts_with("invalid gRPC name \"Assistant/Ask\";")
    );
}

#[test]
fn a_refused_monitor_names_no_service() {
    refusal(Monitor::builder().service("never-built", "1.0").check_interval(Duration::ZERO));
    assert!(!metrics::render().contains("never-built"));
}

#[tokio::test]
async fn a_registry_that_the_user_has_shows_both_ours_and_theirs() {
    let registry = prometheus::Registry::new();
    let theirs = prometheus::IntCounter::new("jobs_done_total", "Jobs done.").unwrap();
    registry.register(Box::new(theirs.clone())).unwrap();
    theirs.inc();
    let first = Monitor::builder().registry(registry.clone()).build().unwrap();
    let again = Monitor::builder().registry(registry).build().unwrap();
    for monitor in [first, again] {
        let response = monitor.metrics();
        let text = std::str::from_utf8(response.body()).unwrap();
        assert!(text.contains("jobs_done_total 1\n"), "{text}");
        assert!(text.contains("# TYPE build_info gauge\n"), "{text}");
    }
}

#[tokio::test]
async fn a_service_without_a_name_is_called_like_its_executable() {
    let monitor = Monitor::builder().build().unwrap();
    let response = monitor.metrics();
    let scrape = Exposition::read(std::str::from_utf8(response.body()).unwrap());
    let is_ours = |sample: &&Sample| sample.label("service").is_some_and(|name| name.starts_with("default-"));
    let info = scrape.samples("build_info").find(is_ours).unwrap();
    assert_eq!((info.label("version"), info.value), (Some("unknown"), 1.0));
}
