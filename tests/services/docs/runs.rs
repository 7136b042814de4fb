//! The page on runs: its tree is the one that its code makes.

use monitor_runtime::run;

use crate::docs::page::Page;
use crate::docs::project;

mod example {
    include!("shown/runs_tree.rs");

    pub(super) fn run() {
        main().unwrap();
    }
}

#[test]
fn runs_shows_the_tree_of_its_example() {
    Page::open("docs/runs.md").check(&[
        ("Runs", "text", |shown| {
            example::run();
            assert_eq!(format!("{}\n", run::builder().start().unwrap().newest()[0]), shown);
        }),
        ("Record runs", "toml", project::features_exist),
    ]);
}

#[test]
fn dashboard_names_a_feature_that_exists() {
    Page::open("docs/dashboard.md").check(&[("Switch it on", "toml", project::features_exist)]);
}
