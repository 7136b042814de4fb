//! The page of benchmarks: its commands, and its bars, which are those that the bench checks.

use std::fs;

use crate::docs::page::{Page, root};

const PAGE: &str = "docs/benchmarks.md";

#[test]
fn benchmarks_shows_commands_of_benches_that_there_are() {
    Page::open(PAGE).check(&[("Run them", "sh", benches_exist)]);
}

/// Every word behind `--` is one that the bench's own source names.
fn benches_exist(commands: &str) {
    for command in commands.lines() {
        let words: Vec<_> = command.split_whitespace().collect();
        let (source, options) = match &*words {
            ["cargo", "bench", "-p", "monitor-benches", "--bench", bench, options @ ..] => {
                let manifest = read("benches/Cargo.toml");
                assert!(manifest.contains(&format!("name = \"{bench}\"\nharness = false")), "{bench}");
                (source_of(bench), options)
            }
            ["cargo", "bench", "-p", "monitor-endpoints-bench", "--bench", "scaling"] => {
                (read("benches/endpoints/scaling.rs"), &[][..])
            }
            ["cargo", "bench", "-p", "monitor-endpoints-bench", "--bench", "endpoints", options @ ..] => {
                (read("benches/endpoints/main.rs"), options)
            }
            ["cargo", "bench", "-p", "monitor-endpoints-bench", "--bench", "soak", options @ ..] => {
                (read("benches/endpoints/soak.rs"), options)
            }
            ["cargo", "bench", "-p", "monitor-recorded-bench", "--bench", "recorded"] => {
                (read("benches/recorded/main.rs"), &[][..])
            }
            ["cargo", "bench", "-p", "monitor-live-page-bench", "--bench", "live_page"] => {
                (read("benches/live_page/main.rs"), &[][..])
            }
            _ => panic!("no check is written for `{command}`"),
        };
        for option in options.iter().filter(|option| **option != "--") {
            assert!(source.contains(&format!("\"{option}\"")), "{command}: {option}");
        }
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

fn source_of(bench: &str) -> String {
    let benches = root().join("benches/benches");
    let folder = benches.join(bench);
    if !folder.is_dir() {
        return fs::read_to_string(folder.with_extension("rs")).unwrap();
    }
    ["main.rs", "sections.rs"].map(|file| fs::read_to_string(folder.join(file)).unwrap()).concat()
}

#[test]
fn every_figure_is_in_the_table_with_its_checked_bar() {
    let source = fs::read_to_string(root().join("benches/benches/compare/bars.rs")).unwrap();
    let rows = source.lines().filter_map(|line| line.trim().strip_prefix("(\"")?.strip_suffix(")),"));
    let bars: Vec<_> =
        rows.map(|row| row.split_once("\", ").unwrap()).map(|(name, bar)| (name, in_words(bar))).collect();
    assert_eq!(bars.len(), 20, "the bars' rows are not read any more: {bars:?}");
    let table = Page::open(PAGE).table("figure");
    let shown: Vec<_> = table.iter().map(|row| (&*row[0], row[1].clone())).collect();
    assert_eq!(shown, bars);
}

/// `AtMost(1.50` as `at most 1.5`.
fn in_words(bar: &str) -> String {
    let (side, number) = bar.split_once('(').unwrap();
    let number: f64 = number.replace('_', "").parse().unwrap();
    let side = if side == "AtMost" { "at most" } else { "at least" };
    format!("{side} {number}")
}

#[test]
fn every_weighed_package_is_in_the_table() {
    let source = read("xtask/src/weight.rs");
    let contenders = source.split("CONTENDERS: ").nth(1).unwrap().split("];\n").next().unwrap();
    let names: Vec<_> =
        contenders.split("name: \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let table = Page::open(PAGE).table("package");
    assert_eq!(table.iter().map(|row| &*row[0]).collect::<Vec<_>>(), names);
}

#[test]
fn every_section_is_named() {
    let source = fs::read_to_string(root().join("benches/benches/compare/sections.rs")).unwrap();
    let sections = source.split("SECTIONS: ").nth(1).unwrap().split("];\n").next().unwrap();
    let names: Vec<_> =
        sections.lines().filter_map(|line| line.trim().strip_prefix("(\"")?.split('"').next()).collect();
    assert!(names.len() >= 6, "the sections are not read any more: {names:?}");
    let page = Page::open(PAGE);
    for name in names {
        assert!(page.text().contains(&format!("`{name}`")), "{name}");
    }
}
