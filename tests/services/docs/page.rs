//! A Markdown page, as far as its promises can be checked: blocks, tables, headings, links.

use std::path::{Path, PathBuf};

/// The folder that page names are relative to.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A page of the repository.
pub(crate) struct Page {
    name: &'static str,
    text: String,
}

/// A fenced block.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// The heading right above it.
    pub(crate) heading: String,
    /// The first word behind the fence.
    pub(crate) language: String,
    pub(crate) text: String,
}

/// A block that is not Rust, by heading and language, and what compares it with reality.
pub(crate) type Check = (&'static str, &'static str, fn(&str));

impl Page {
    /// Reads a page, named as in `docs/health.md`.
    pub(crate) fn open(name: &'static str) -> Self {
        let path = root().join(name);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        Self { name, text }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn blocks(&self) -> Vec<Block> {
        let (mut blocks, mut heading) = (Vec::new(), "");
        let mut lines = self.text.lines();
        while let Some(line) = lines.next() {
            if let Some(text) = heading_of(line) {
                heading = text;
            } else if let Some(info) = line.strip_prefix("```") {
                let language = info.split([',', ' ']).next().unwrap_or_default();
                let inside = lines.by_ref().take_while(|line| *line != "```");
                let text = inside.flat_map(|line| [line, "\n"]).collect();
                blocks.push(Block { heading: heading.to_owned(), language: language.to_owned(), text });
            }
        }
        blocks
    }

    /// Runs one check for each block that is not Rust, in the page's order. A block without a check fails, and so does a
    /// check without its block. Rust is compiled as a doctest.
    pub(crate) fn check(&self, checks: &[Check]) {
        let blocks: Vec<_> = self.blocks().into_iter().filter(|block| block.language != "rust").collect();
        let found: Vec<_> = blocks.iter().map(|block| (&*block.heading, &*block.language)).collect();
        let expected: Vec<_> = checks.iter().map(|&(heading, language, _)| (heading, language)).collect();
        assert_eq!(found, expected, "the blocks of {}, and those that have a check", self.name);
        for (block, (_, _, check)) in blocks.iter().zip(checks) {
            check(&block.text);
        }
    }

    /// Makes sure that the page shows this code, word for word, as one Rust block.
    pub(crate) fn assert_shows(&self, code: &str) {
        let shown = self.blocks().iter().any(|block| block.language == "rust" && block.text == code);
        assert!(shown, "{} shows no Rust block that is exactly:\n{code}", self.name);
    }

    /// The rows of the table whose first column has this title, cell by cell, code quotes taken off.
    pub(crate) fn table(&self, title: &str) -> Vec<Vec<String>> {
        let is_head = |line: &str| cells(line).first().is_some_and(|cell| cell == title);
        let mut lines = self.text.lines().skip_while(|line| !is_head(line));
        assert!(lines.next().is_some(), "{} has no table whose first column is {title:?}", self.name);
        lines.skip(1).map(cells).take_while(|cells| !cells.is_empty()).collect()
    }

    pub(crate) fn headings(&self) -> impl Iterator<Item = &str> {
        let mut is_code = false;
        self.text.lines().filter_map(move |line| {
            is_code ^= line.starts_with("```");
            if is_code { None } else { heading_of(line) }
        })
    }

    /// Where the page's links to other pages and files point: the file, and the heading's anchor if any.
    pub(crate) fn links(&self) -> Vec<(PathBuf, Option<String>)> {
        let folder = root().join(self.name);
        let folder = folder.parent().expect("a page is in a folder");
        let targets = self.text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let local = targets.filter(|target| !target.contains("://"));
        local.map(|target| to_file(folder, self.name, target)).collect()
    }
}

fn to_file(folder: &Path, page: &str, target: &str) -> (PathBuf, Option<String>) {
    let (path, anchor) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
    let file = if path.is_empty() { root().join(page) } else { folder.join(path) };
    (file, anchor.map(str::to_owned))
}

/// The anchor of a heading, by the rule of GitHub.
pub(crate) fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|char| char.is_alphanumeric() || matches!(char, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

fn heading_of(line: &str) -> Option<&str> {
    let text = line.trim_start_matches('#');
    (text.len() < line.len()).then(|| text.strip_prefix(' ')).flatten()
}

fn cells(line: &str) -> Vec<String> {
    let Some(inside) = line.strip_prefix('|').and_then(|line| line.trim_end().strip_suffix('|')) else {
        return Vec::new();
    };
    inside.split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect()
}
