//! The page on runs: its trees are those that code makes.

use monitor_runtime::genai::{self, Usage};
use monitor_runtime::{run, track_agent};

use crate::docs::page::Page;
use crate::docs::project;

mod example {
    include!("shown/runs_tree.rs");

    pub(super) fn run() {
        main().unwrap();
    }
}

#[track_agent("planner")]
fn plan_with_models() {
    drop(genai::call("openai", "gpt-5"));
    write_with_models();
}

#[track_agent("writer")]
fn write_with_models() {
    let mut call = genai::call("openai", "gpt-5");
    call.usage(Usage::new(812, 96).cached(640).cost_usd(0.001_255));
    call.finish("stop");
}

fn newest_tree() -> String {
    format!("{}\n", run::builder().start().unwrap().newest()[0])
}

#[test]
fn runs_shows_the_trees_of_its_examples() {
    Page::open("docs/runs.md").check(&[
        ("Runs", "text", |shown| {
            example::run();
            assert_eq!(newest_tree(), shown);
        }),
        ("Record runs", "toml", project::features_exist),
        ("Tokens and cost of a run", "text", |shown| {
            plan_with_models();
            assert_eq!(newest_tree(), shown);
        }),
    ]);
}

#[test]
fn dashboard_names_a_feature_that_exists() {
    Page::open("docs/dashboard.md").check(&[("Switch it on", "toml", project::features_exist)]);
}
