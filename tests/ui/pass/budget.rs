//! Every form of `budget(…)` and `repeats(…)`, in scopes that shadow the names they use.
#![deny(warnings)]
#![no_implicit_prelude]

#[allow(dead_code)]
struct Some;
#[allow(dead_code)]
struct Budget;

use ::monitor_runtime::{track_agent, track_model, track_skill};
use ::std::string::String;

#[track_agent(
    "planner",
    budget(cost = "0.50", tokens = 200_000, model_calls = 30, skill_calls = 100, duration = "5m")
)]
async fn plan() {}

#[track_agent(id = name, budget(duration = "1.5h",))]
fn review(name: &str) -> usize {
    name.len()
}

struct Agent;

#[track_agent(budget(model_calls = 3))]
impl Agent {
    fn ask(&self) {}

    #[track(budget(cost = "1"))]
    fn ask_more(&self) {}
}

#[track_skill(repeats(query, limit, query.len()))]
fn search(query: String, limit: &[u8]) -> usize {
    query.len() + limit.len()
}

struct Page {
    page: u32,
}

impl Page {
    #[track_skill(repeats(self.page, hasher), fields(hasher))]
    async fn fetch(&self, hasher: u32) -> u32 {
        self.page + hasher
    }
}

#[track_model("gpt-5", provider = "openai", repeats(prompt))]
async fn complete(prompt: &str) -> usize {
    prompt.len()
}

fn main() {
    ::std::mem::drop(plan());
    review("tea");
    Agent.ask();
    Agent.ask_more();
    search(String::new(), &[]);
    ::std::mem::drop(Page { page: 1 }.fetch(2));
    ::std::mem::drop(complete("tea"));
}
