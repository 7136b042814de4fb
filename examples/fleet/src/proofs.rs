//! What is proved of the fleet. Each proof says in a line what it found, or is the error that ends the run.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};

use crate::alerts::{Alert, firing};
use crate::engine::Engine;
use crate::fleet::Fleet;
use crate::quantile::Buckets;
use crate::traffic::{self, ROUND, Sent};
use crate::waiting::{eventually, pause};

/// The requests that the drivers send, whatever became of them.
const REQUESTS: &str = "http_requests_total{method=\"POST\",endpoint=\"/ask\"}";

/// How a bucket of theirs begins in the scrape of an instance.
const BUCKET: &str = "http_request_duration_seconds_bucket{method=\"POST\",endpoint=\"/ask\",";

const QUANTILES: [f64; 3] = [0.5, 0.95, 0.99];

/// The alert for an instance that cannot be scraped.
const TARGET_DOWN: &str = "TargetDown";

/// So long nothing else may fire: many evaluations, and longer than any alert has to hold here.
const QUIET: Duration = Duration::from_secs(10);

/// Two values that both engines work out by floating point are the same up to this share.
const ROUNDING: f64 = 1e-9;

/// By how much `increase` of Prometheus may miss: it extrapolates to the edges of its range, here by some scrape intervals.
const EXTRAPOLATION: f64 = 0.1;

/// Every request that any driver sent stands in the sums over the fleet, under the status that the driver saw.
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

/// A quantile over the fleet is that of all its observations together, which no average of the instances' quantiles is.
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

/// An instance that begins at zero again takes nothing away from what increased before.
pub(crate) fn a_restart_loses_nothing(fleet: &mut Fleet, requests: usize) -> anyhow::Result<()> {
    let (since, sent_before) = (Instant::now(), fleet.sent.total());
    fleet.restart(0)?;
    // An engine sees a counter step back only if a scrape finds it below where it was.
    send(fleet, ROUND)?;
    for engine in fleet.engines.all() {
        wait_for_sum_of(engine, &fleet.instances[0].name, ROUND)?;
    }
    send(fleet, requests - ROUND)?;
    // Counts what it has seen, from zero on.
    let sent = fleet.sent.total();
    wait_for_increase(&fleet.engines.victoria_metrics, ROUNDING, sent, || {
        format!("sum(increase_pure({REQUESTS}[1h]))")
    })?;
    // Takes the first value that it sees for no increase, so its range begins when all series were there.
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

/// Waits until a query gives that value, or one that is off by no more than this share of it.
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

/// An instance that is gone is one alert, about that instance, and no other.
pub(crate) fn a_killed_instance_fires_one_alert(fleet: &mut Fleet) -> anyhow::Result<()> {
    // The instance that was restarted may have been away for long enough to be one.
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
