//! The proof about the live pages: each instance knows all others, whatever state they are in.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::fleet::Fleet;
use crate::instance::Instance;
use crate::traffic::{self, ROUND};
use crate::waiting::eventually;

/// How soon a page knows all instances: it waits a second for one that is frozen.
const PROMPT: Duration = Duration::from_millis(1_500);

/// The counter of ended calls of agents, in the scrape of an instance.
const CALLS: &str = "agent_executions_total{";

/// The sums on the page of the first instance are those of the instances' own counters, and it tells in time which instance was
/// stopped and which is frozen.
pub(crate) fn instances_know_each_other(fleet: &mut Fleet) -> anyhow::Result<()> {
    let last = fleet.instances.len() - 1;
    // The proof before has killed it.
    fleet.revive(last)?;
    traffic::send(&fleet.addresses(), ROUND)?;
    let counted = sums_agree(&fleet.instances[0], &fleet.instances.iter().collect::<Vec<_>>())?;
    println!(
        "pages: {} sums up {counted} calls of {} instances",
        fleet.instances[0].name,
        fleet.instances.len()
    );
    fleet.instances[last].stop()?;
    let mut gone = vec![(last, "the connection failed")];
    if last > 1 {
        fleet.instances[last - 1].freeze()?;
        gone.push((last - 1, "no answer within 1s"));
    }
    let page = &fleet.instances[0];
    let known = eventually("a page knows all instances in time", || {
        // An answer is shared for a second.
        std::thread::sleep(Duration::from_millis(1_100));
        let begun = Instant::now();
        let known = page.known_instances()?;
        let took = begun.elapsed();
        Ok(if took < PROMPT { Ok(known) } else { Err(format!("it took {took:?}")) })
    })?;
    for (index, reason) in &gone {
        let gone = &fleet.instances[*index];
        let (state, said) = told(&known, gone)?;
        ensure!(state == "silent" && said.contains(reason), "{} is {state}: {said}", gone.name);
    }
    let left = (0..=last).filter(|index| gone.iter().all(|(gone, _)| gone != index));
    let left: Vec<_> = left.map(|index| &fleet.instances[index]).collect();
    ensure!(known["totals"]["answering"] == left.len(), "{} answer", known["totals"]["answering"]);
    sums_agree(page, &left)?;
    let names: Vec<_> = gone.iter().map(|(index, _)| &*fleet.instances[*index].name).collect();
    println!("pages: {} tells that {} are silent, and sums up the others", page.name, names.join(" and "));
    Ok(())
}

/// Waits until the sums of a page are those of the counters of these instances, and returns their sum.
fn sums_agree(page: &Instance, instances: &[&Instance]) -> anyhow::Result<u64> {
    eventually("the sums of a page are those of the counters", || {
        let mut counted = 0;
        for instance in instances {
            counted += calls(&instance.scrape()?)?;
        }
        let known = page.known_instances()?;
        let ended = known["totals"]["ended"].as_object().context("there are no totals")?;
        let summed: u64 = ended.values().filter_map(Value::as_u64).sum();
        let agrees = counted > 0 && summed == counted;
        Ok(if agrees { Ok(counted) } else { Err(format!("{summed} where the counters have {counted}")) })
    })
}

/// The ended calls of all agents in a scrape.
fn calls(scrape: &str) -> anyhow::Result<u64> {
    let values = scrape.lines().filter(|line| line.starts_with(CALLS)).map(|line| line.rsplit(' ').next());
    values.map(|value| Ok(value.context("a line without a value")?.parse::<u64>()?)).sum()
}

/// The state of an instance, and its reason.
fn told<'k>(known: &'k Value, instance: &Instance) -> anyhow::Result<(&'k str, &'k str)> {
    let rows = known["instances"].as_array().context("there are no instances")?;
    let row = rows.iter().find(|row| row["address"] == instance.page.to_string());
    let row = row.with_context(|| format!("{} is not known", instance.name))?;
    Ok((row["state"].as_str().unwrap_or_default(), row["reason"].as_str().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::calls;

    #[test]
    fn calls_of_all_agents_are_added() {
        let scrape = "# TYPE agent_executions_total counter\n\
                      agent_executions_total{agent_id=\"a\",status=\"success\"} 7\n\
                      agent_executions_total{agent_id=\"b\",status=\"error\"} 2\n\
                      skill_executions_total{skill_id=\"c\",status=\"error\"} 9\n";
        assert_eq!(calls(scrape).unwrap(), 9);
    }
}
