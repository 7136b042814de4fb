//! A room uses only the rooms below it, and no files use each other in a circle, so each can be read and changed without
//! those above.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms of the crate, bottom to top. `docs/architecture.md` shows the same list.
const FLOORS: [&[&str]; 13] = [
    &[
        "address",
        "error_chain",
        "json",
        "monitor_route",
        "prices",
        "rarely",
        "timestamp",
        "trace_context",
        "usage",
    ],
    &["cells"],
    &["families"],
    &["call"],
    &["genai", "run"],
    &["logging"],
    &["context"],
    &["exposition", "probe"],
    &["dashboard", "health", "push"],
    &["http", "metrics"],
    &["monitor"],
    &["otlp"],
    &["testing"],
];

/// What emitted code and fuzz targets name: re-exports of every room.
const FACADES: [&str; 3] = ["fuzzing", "lib", "private"];

/// Names that the crate's root re-exports, with their rooms.
const REEXPORTED: [(&str, &str); 3] = [("Classify", "call"), ("Monitor", "monitor"), ("Outcome", "families")];

/// Each file by its module path, such as `cells::buckets`, with the module paths that it names.
type Graph = BTreeMap<String, BTreeSet<String>>;

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn read_graph() -> Graph {
    let mut files = Vec::new();
    find_files(&sources(), &mut files);
    let modules: BTreeSet<String> = files.iter().map(|file| module_of(file)).collect();
    let read = |file: &PathBuf| {
        let (module, source) = (module_of(file), fs::read_to_string(file).unwrap());
        let is_root = file.file_name().is_some_and(|name| name == "mod.rs");
        let named = named_paths(&without_tests(&source), &module, is_root);
        let used = named.iter().filter_map(|path| longest_module(path, &modules));
        let used = used.filter(|used| *used != module).collect();
        (module, used)
    };
    files.iter().map(read).collect()
}

fn find_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn module_of(file: &Path) -> String {
    let relative = file.strip_prefix(sources()).unwrap().with_extension("");
    let parts: Vec<_> = relative.iter().map(|part| part.to_str().unwrap()).collect();
    parts.join("::").trim_end_matches("::mod").to_owned()
}

/// The code before the unit tests, without comments.
fn without_tests(source: &str) -> String {
    let code = source.split("\nmod tests {").next().unwrap();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Every path behind `crate::` or `super::`, as the path of a module or of an item in one.
fn named_paths(code: &str, module: &str, is_root: bool) -> Vec<String> {
    // A path is absolute from here on: `super` of a file is its folder, that of a folder's root the folder around it.
    let mut above: Vec<&str> = module.split("::").collect();
    if !is_root {
        above.pop();
    }
    let mut named = Vec::new();
    for (start, _) in code.match_indices("crate::").chain(code.match_indices("super::")) {
        let is_inside = code[..start].ends_with("super::")
            || code[..start].ends_with(|char: char| char.is_alphanumeric());
        if is_inside {
            continue;
        }
        let mut rest = &code[start..];
        let mut base = above.clone();
        if let Some(path) = rest.strip_prefix("crate::") {
            (base, rest) = (Vec::new(), path);
        } else {
            // The first `super` of a file is its own folder.
            let mut is_first = !is_root;
            while let Some(path) = rest.strip_prefix("super::") {
                if !std::mem::take(&mut is_first) {
                    base.pop();
                }
                rest = path;
            }
        }
        named.extend(expand(rest).into_iter().map(|path| {
            base.iter().copied().chain(path.iter().map(String::as_str)).collect::<Vec<_>>().join("::")
        }));
    }
    named
}

/// The paths of `a::{b, c::d}`, as far as they are words.
fn expand(text: &str) -> Vec<Vec<String>> {
    let word: String = text.chars().take_while(|char| char.is_alphanumeric() || *char == '_').collect();
    let rest = &text[word.len()..];
    if let Some(group) = text.strip_prefix('{') {
        return split_group(group).into_iter().flat_map(expand).collect();
    }
    match rest.strip_prefix("::") {
        Some(rest) => {
            let prefixed = |mut path: Vec<String>| {
                path.insert(0, word.clone());
                path
            };
            expand(rest).into_iter().map(prefixed).collect()
        }
        None => vec![vec![word]],
    }
}

/// The parts of a group, whose opening brace has been read.
fn split_group(group: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, char) in group.char_indices() {
        match char {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                parts.push(group[start..at].trim());
                start = at + 1;
                if char == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    parts
}

fn longest_module(path: &str, modules: &BTreeSet<String>) -> Option<String> {
    let first = path.split("::").next().unwrap_or_default();
    if let Some((_, room)) = REEXPORTED.iter().find(|(name, _)| *name == first) {
        return Some((*room).to_owned());
    }
    let mut path = path;
    loop {
        if modules.contains(path) {
            return Some(path.to_owned());
        }
        path = path.rsplit_once("::")?.0;
    }
}

fn room_of(module: &str) -> &str {
    module.split("::").next().unwrap_or_default()
}

fn floor_of(room: &str) -> usize {
    FLOORS.iter().position(|floor| floor.contains(&room)).unwrap_or_else(|| panic!("{room} has no floor"))
}

#[test]
fn no_room_uses_a_room_above() {
    let graph = read_graph();
    assert!(graph.len() > 150, "the files are not read any more: {}", graph.len());
    let mut arrows = 0;
    for (module, used) in graph.iter().filter(|(module, _)| !FACADES.contains(&room_of(module))) {
        let room = room_of(module);
        for other in used.iter().map(|other| room_of(other)).filter(|other| *other != room) {
            arrows += 1;
            // Within a floor an arrow is an order, as long as there is none back.
            let is_below = floor_of(other) < floor_of(room);
            assert!(
                is_below || (floor_of(other) == floor_of(room) && !uses(&graph, other, room)),
                "{module} uses {other}"
            );
        }
    }
    assert!(arrows > 200, "the paths are not read any more: {arrows}");
}

fn uses(graph: &Graph, room: &str, other: &str) -> bool {
    graph
        .iter()
        .any(|(module, used)| room_of(module) == room && used.iter().any(|used| room_of(used) == other))
}

/// A room's root re-exports its files, which is no use of them.
#[test]
fn no_files_use_each_other_in_a_circle() {
    let mut graph = read_graph();
    let roots: BTreeSet<String> = graph
        .keys()
        .filter(|module| sources().join(module.replace("::", "/")).join("mod.rs").is_file())
        .cloned()
        .collect();
    graph.retain(|module, _| !roots.contains(module) && !FACADES.contains(&module.as_str()));
    assert!(graph["call::guard"].contains("call::fault"), "the paths are not read any more");
    // Files that use no other remaining file are removed, until none remains, or only circles do.
    loop {
        let left: BTreeSet<String> = graph.keys().cloned().collect();
        graph.retain(|_, used| used.iter().any(|other| left.contains(other)));
        if graph.len() == left.len() {
            break;
        }
    }
    assert!(graph.is_empty(), "in a circle, or above one: {graph:#?}");
}

#[test]
fn the_guide_shows_the_floors() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/architecture.md");
    let page = fs::read_to_string(page).unwrap();
    for (number, rooms) in FLOORS.iter().enumerate() {
        let rooms: Vec<_> = rooms.iter().map(|room| format!("`{room}`")).collect();
        let row = format!("| {number} | {} |", rooms.join(", "));
        assert!(page.contains(&row), "docs/architecture.md lacks the row {row}");
    }
}
