//! The README and the guide say what is so: their Rust is compiled as doctests, and everything else they show is compared
//! here with what the crate really does.

// First, since its macro is known only below it.
#[macro_use]
mod service;

mod benchmarks;
mod compare;
mod free_port;
mod guide;
mod health;
mod logging;
mod metrics;
mod new_package;
mod opentelemetry;
mod page;
mod platforms;
mod project;
mod readme;
mod runs;
mod scaling;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use page::{Page, anchor, root};

/// Every page, the README first.
const PAGES: [&str; 20] = [
    "README.md",
    "docs/architecture.md",
    "docs/attributes.md",
    "docs/benchmarks.md",
    "docs/dashboard.md",
    "docs/database_clients.md",
    "docs/from_autometrics.md",
    "docs/from_tracing_and_metrics.md",
    "docs/getting_started.md",
    "docs/health.md",
    "docs/log_shipping.md",
    "docs/logging.md",
    "docs/metrics.md",
    "docs/models.md",
    "docs/monitoring_setup.md",
    "docs/opentelemetry.md",
    "docs/other_attributes.md",
    "docs/platforms.md",
    "docs/runs.md",
    "docs/scaling.md",
];

#[test]
fn every_page_is_known_to_the_tests_and_a_doctest() {
    let files = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = files.filter(|file| file.extension().is_some_and(|extension| extension == "md"));
    let pages: BTreeSet<_> = pages.map(|file| file.strip_prefix(root()).unwrap().to_owned()).collect();
    let pages: Vec<_> = pages.iter().map(|page| page.to_str().unwrap()).collect();
    assert_eq!(pages, PAGES[1..]);
    let doctests = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    for page in PAGES {
        assert!(doctests.contains(&format!("include_str!(\"../{page}\")")), "src/lib.rs leaves {page} out");
    }
}

/// A file of `shown` begins with the name of its page.
#[test]
fn pages_show_the_code_that_is_run_here_word_for_word() {
    for entry in fs::read_dir(root().join("tests/services/docs/shown")).unwrap() {
        let file = entry.unwrap().path();
        let name = file.file_name().unwrap().to_str().unwrap();
        let page = PAGES.into_iter().find(|page| name.starts_with(&*stem(page)));
        let page = page.unwrap_or_else(|| panic!("{name} belongs to no page"));
        Page::open(page).assert_shows(&fs::read_to_string(&file).unwrap());
    }
}

/// They are a crate of their own, which is tested with the clients.
#[test]
fn models_show_the_code_of_their_crate_word_for_word() {
    let page = Page::open("docs/models.md");
    for file in ["bedrock.rs", "genai.rs", "ollama.rs", "openai.rs", "prices.rs", "rig.rs"] {
        let file = root().join("tests/model_clients/src").join(file);
        page.assert_shows(&fs::read_to_string(file).unwrap());
    }
}

/// They are a crate of their own, which is tested with real databases.
#[test]
fn database_clients_show_the_code_of_their_crate_word_for_word() {
    let page = Page::open("docs/database_clients.md");
    for file in ["deadpool.rs", "orm.rs"] {
        let file = root().join("tests/database_clients/src").join(file);
        page.assert_shows(&fs::read_to_string(file).unwrap());
    }
    page.check(&[("sqlx 0.8 or 0.9", "sh", |command| {
        assert_eq!(command, "cargo update sqlx@0.9.0 --precise 0.8.6\n");
    })]);
}

fn stem(page: &str) -> String {
    Path::new(page).file_stem().unwrap().to_str().unwrap().to_lowercase()
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_exist() {
    for page in PAGES {
        for (file, heading) in Page::open(page).links() {
            let text = if file.is_dir() { Ok(String::new()) } else { fs::read_to_string(&file) };
            let text = text.unwrap_or_else(|error| panic!("{page} links to {}: {error}", file.display()));
            let headings = text.lines().filter(|line| line.starts_with('#'));
            let mut anchors = headings.map(|line| anchor(line.trim_start_matches('#').trim()));
            let is_there = heading.as_ref().is_none_or(|heading| anchors.any(|known| known == *heading));
            assert!(is_there, "{page} links to {heading:?} of {}", file.display());
        }
    }
}

#[test]
fn no_heading_comes_twice_in_a_page() {
    for name in PAGES {
        let page = Page::open(name);
        let mut headings: Vec<_> = page.headings().collect();
        headings.sort_unstable();
        let all = headings.len();
        headings.dedup();
        assert_eq!(headings.len(), all, "{name}");
    }
}

#[test]
fn no_fence_is_left_open_and_none_is_without_a_language() {
    for name in PAGES {
        let page = Page::open(name);
        assert_eq!(page.text().lines().filter(|line| line.starts_with("```")).count() % 2, 0, "{name}");
        for block in page.blocks() {
            assert!(!block.language.is_empty(), "{name}, under {:?}", block.heading);
        }
    }
}
