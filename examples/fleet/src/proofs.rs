//! The proofs about the fleet. Each returns its finding in one line, or the error that ends the run.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};

use crate::alerts::{Alert, firing};
use crate::engine::Engine;
use crate::fleet::Fleet;
use crate::quantile::Buckets;
use crate::traffic::{self, ROUND, Sent};
use crate::waiting::{eventually, pause};

/// The requests that the drivers send, with any outcome.
const REQUESTS: &str = "http_requests_total{method=\"POST\",endpoint=\"/ask\"}";

/// The beginning of their bucket lines in the scrape of an instance.
const BUCKET: &str = "http_request_duration_seconds_bucket{method=\"POST\",endpoint=\"/ask\",";

const QUANTILES: [f64; 3] = [0.5, 0.95, 0.99];

/// The alert for an instance that cannot be scraped.
const TARGET_DOWN: &str = "TargetDown";

/// Time during which nothing else may fire: many evaluations, and longer than any `for` here.
const QUIET: Duration = Duration::from_secs(10);

/// Relative tolerance between values that both engines compute in floating point.
const ROUNDING: f64 = 1e-9;

/// Tolerance of Prometheus' `increase`: it extrapolates to the edges of its range, here by some scrape intervals.
const EXTRAPOLATION: f64 = 0.1;

/// The sums over the fleet contain every request of every driver, under the status that the driver saw.
pub(crate) fn sums_equal_what_was_sent(fleet: &mut Fleet, requests: usize) -> anyhow::Result<()> {
    send(fleet, requests)?;
    for engine in fleet.engines.all() {
        wait_for_sums(engine, &fleet.sent)?;
    }
    let (sent, instances) = (fleet.sent.total(), fleet.instances.len());
    println!(
        "sums: {sent} requests sent to {instances} instances, and as many counted by status in both engines"
    );
    Ok(())
}

fn send(fleet: &mut Fleet, requests: usize) -> anyhow::Result<()> {
    let sent = traffic::send(&fleet.addresses(), requests)?;
    fleet.sent.add(&sent);
    Ok(())
}

fn wait_for_sums(engine: &Engine, sent: &Sent) -> anyhow::Result<()> {
    let expected = sent.by_status();
    eventually(&format!("{} counts what was sent", engine.name), || {
        let counted = engine.by_label("status", &format!("sum by (status) ({REQUESTS})"))?;
        Ok(if counted == expected { Ok(()) } else { Err(format!("{counted:?} counted, {expected:?} sent")) })
    })
}

/// A quantile over the fleet is that of all its observations together; an average of the instances' quantiles is not.
pub(crate) fn quantiles_aggregate(fleet: &Fleet) -> anyhow::Result<()> {
    let mut buckets = Buckets::default();
    for instance in &fleet.instances {
        buckets.add(&instance.scrape()?, BUCKET);
    }
    #[expect(clippy::cast_precision_loss, reason = "counts of a test run are small")]
    let sent = fleet.sent.total() as f64;
    ensure!((buckets.count() - sent).abs() < ROUNDING, "{} observations of {sent} requests", buckets.count());
    for quantile in QUANTILES {
        let Some(expected) = buckets.quantile(quantile) else {
            bail!("quantile {quantile} is beyond the last bound: this machine is too slow to tell");
        };
        let query = format!("histogram_quantile({quantile}, sum by (le) ({BUCKET}}}))");
        for engine in fleet.engines.all() {
            wait_for(engine, &format!("knows quantile {quantile}"), expected, ROUNDING, || query.clone())?;
        }
        println!(
            "quantiles: {quantile} is {:.1} ms by the instances' own buckets and in both engines",
            expected * 1e3
        );
    }
    Ok(())
}

/// A restarted instance, whose counters begin at zero, does not reduce earlier increases.
pub(crate) fn a_restart_loses_nothing(fleet: &mut Fleet, requests: usize) -> anyhow::Result<()> {
    let (since, sent_before) = (Instant::now(), fleet.sent.total());
    fleet.restart(0)?;
    // An engine detects a counter reset only if a scrape finds a lower value than before.
    send(fleet, ROUND)?;
    for engine in fleet.engines.all() {
        wait_for_sum_of(engine, &fleet.instances[0].name, ROUND)?;
    }
    send(fleet, requests - ROUND)?;
    // Counts all that it has seen, from zero on.
    let sent = fleet.sent.total();
    wait_for_increase(&fleet.engines.victoria_metrics, ROUNDING, sent, || {
        format!("sum(increase_pure({REQUESTS}[1h]))")
    })?;
    // Does not count the first value as an increase, so its range begins once all series exist.
    let later = sent - sent_before;
    wait_for_increase(&fleet.engines.prometheus, EXTRAPOLATION, later, || {
        format!("sum(increase({REQUESTS}[{}s]))", since.elapsed().as_secs() + 1)
    })?;
    let resets = fleet.engines.prometheus.value(&format!("sum(resets({REQUESTS}[1h]))"))?.unwrap_or_default();
    ensure!(resets >= 1.0, "Prometheus saw no counter step back");
    println!(
        "restart: over {resets} counters that began anew, the increase is that of the {sent} requests sent"
    );
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "counts of a test run are small")]
fn wait_for_sum_of(engine: &Engine, instance: &str, requests: usize) -> anyhow::Result<()> {
    let query = format!("sum({}, instance=\"{instance}\"}})", REQUESTS.trim_end_matches('}'));
    wait_for(engine, "counts the instance's requests", requests as f64, ROUNDING, || query.clone())
}

#[expect(clippy::cast_precision_loss, reason = "counts of a test run are small")]
fn wait_for_increase(
    engine: &Engine,
    share: f64,
    sent: u64,
    query: impl Fn() -> String,
) -> anyhow::Result<()> {
    wait_for(engine, "knows the increase", sent as f64, share, query)
}

/// Waits until a query returns that value, within the relative tolerance.
fn wait_for(
    engine: &Engine,
    what: &str,
    expected: f64,
    share: f64,
    query: impl Fn() -> String,
) -> anyhow::Result<()> {
    eventually(&format!("{} {what}", engine.name), || {
        let found = engine.value(&query())?.unwrap_or(f64::NAN);
        let agrees = (found - expected).abs() <= expected * share;
        Ok(if agrees { Ok(()) } else { Err(format!("{found} where {expected} is right")) })
    })
}

/// An instance that is gone causes one alert, about that instance, and no other.
pub(crate) fn a_killed_instance_fires_one_alert(fleet: &mut Fleet) -> anyhow::Result<()> {
    // The restarted instance may have been away for long enough to cause one.
    eventually("no alert fires before anything is wrong", || {
        let before = firing(fleet.engines.alertmanager)?;
        Ok(if before.is_empty() { Ok(()) } else { Err(format!("{before:?} fire")) })
    })?;
    let killed = fleet.instances.last_mut().map(|instance| instance.kill().map(|()| instance.name.clone()));
    let Some(name) = killed.transpose()? else { bail!("there is no instance to kill") };
    let expected = BTreeSet::from([Alert { name: TARGET_DOWN.to_owned(), instance: Some(name.clone()) }]);
    eventually("the killed instance is an alert", || {
        let firing = firing(fleet.engines.alertmanager)?;
        Ok(if firing.is_empty() { Err("nothing fires".to_owned()) } else { Ok(()) })
    })?;
    pause(QUIET)?;
    let firing = firing(fleet.engines.alertmanager)?;
    ensure!(firing == expected, "expected {expected:?} alone to fire, and found {firing:?}");
    println!("alerts: {name} was killed, and {TARGET_DOWN} for it fires alone");
    Ok(())
}
