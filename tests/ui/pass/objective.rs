//! Every form of `objective(…)`, in scopes that shadow the names it uses.
#![deny(warnings)]
#![no_implicit_prelude]

#[allow(dead_code)]
struct Some;
#[allow(dead_code)]
struct Objective;

use ::monitor_runtime::{track_agent, track_skill};

#[track_agent("planner", objective(success = 99.5, latency = "2s@95"))]
async fn plan() {}

#[track_agent(objective(latency = "1.5m@99.9",), level = "debug", fields(success = true))]
fn review() {}

#[track_skill(objective(success = 99))]
fn search() {}

struct Tool;

#[track_skill(objective(success = 99.9_0, latency = "250ms@50"))]
impl Tool {
    fn open(&self) {}

    #[track(objective(success = 0.1))]
    fn close(&self) {}
}

fn main() {
    ::std::mem::drop(plan());
    review();
    search();
    Tool.open();
    Tool.close();
}
