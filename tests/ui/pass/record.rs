//! Every form of `record(…)`, in scopes that shadow the names it uses.
#![deny(warnings)]
#![no_implicit_prelude]

#[allow(dead_code)]
struct Contents;

use ::monitor_runtime::{track_agent, track_model, track_query, track_skill};
use ::std::boxed::Box;
use ::std::future::Future;
use ::std::marker::Send;
use ::std::pin::Pin;
use ::std::result::Result::{self, Ok};
use ::std::string::String;
use ::std::vec::Vec;

#[track_agent("planner", record(goal, steps = 200, result))]
async fn plan(goal: &str, steps: Vec<u32>) -> Result<usize, String> {
    Ok(goal.len() + steps.len())
}

#[track_skill(record(%query = 64, ?limit, %result = 16_384,))]
fn search(query: &str, limit: usize) -> String {
    let contents = ::std::format!("{query} {limit}");
    contents
}

#[track_query(operation = "select", record(id))]
fn find(id: u32) -> u32 {
    id
}

#[track_model("gpt-5", provider = "openai", record(r#type, result))]
fn complete(r#type: &str) -> usize {
    r#type.len()
}

#[track_skill(record(result))]
fn nothing() {}

#[track_skill(record(words, result))]
fn later(words: String) -> Pin<Box<dyn Future<Output = usize> + Send>> {
    Box::pin(async move { words.len() })
}

struct Tool;

#[track_skill]
impl Tool {
    #[track(record(page, result))]
    fn open(&self, (page, _): (u32, u32)) -> u32 {
        page
    }
}

fn main() {
    drop_all(plan("tea", Vec::new()));
    search("tea", 1);
    find(7);
    complete("tea");
    nothing();
    drop_all(later(String::new()));
    Tool.open((7, 8));
}

fn drop_all<T>(_: T) {}
