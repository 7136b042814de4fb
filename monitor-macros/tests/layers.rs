//! A module uses only the modules below it, so it can be read and changed without those above.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The modules of the crate's root, bottom to top.
const LAYERS: [&[&str]; 5] = [&["kind", "diagnostics"], &["parse"], &["analysis"], &["emit"], &["expand"]];

/// Module paths, such as `parse::grammar`, with the modules that each uses.
type Graph = BTreeMap<String, Vec<String>>;

fn read_modules() -> Graph {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut modules = Graph::new();
    for layer in LAYERS.concat() {
        let file = root.join(layer).with_extension("rs");
        if file.is_file() {
            modules.insert(layer.to_owned(), used_modules(&fs::read_to_string(file).unwrap(), layer));
            continue;
        }
        for entry in fs::read_dir(root.join(layer)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let used = used_modules(&fs::read_to_string(&path).unwrap(), layer);
            modules.insert(format!("{layer}::{name}"), used);
        }
    }
    modules
}

/// The module paths after each `crate::` and, in a folder, each `super::`.
fn used_modules(source: &str, folder: &str) -> Vec<String> {
    let absolute = source.split("crate::").skip(1).map(str::to_owned);
    let relative = source.split("super::").skip(1).map(|path| format!("{folder}::{path}"));
    absolute.chain(relative).map(|path| module_path(&path)).collect()
}

/// The first one or two words of a path, as far as they are modules.
fn module_path(path: &str) -> String {
    let is_end = |char: char| !char.is_ascii_lowercase() && char != '_';
    let words: Vec<&str> = path.splitn(3, "::").map(|word| word.split(is_end).next().unwrap()).collect();
    match *words {
        [folder, file, ..] if LAYERS[1..4].concat().contains(&folder) && !file.is_empty() => {
            format!("{folder}::{file}")
        }
        _ => words[0].to_owned(),
    }
}

fn layer_of(module: &str) -> usize {
    let name = module.split("::").next().unwrap();
    LAYERS.iter().position(|layer| layer.contains(&name)).unwrap_or_else(|| panic!("{module} has no layer"))
}

#[test]
fn no_module_uses_a_layer_above() {
    for (module, used) in read_modules() {
        for other in used {
            assert!(layer_of(&other) <= layer_of(&module), "{module} uses {other}");
        }
    }
}

#[test]
fn no_modules_use_each_other_in_a_circle() {
    let mut modules = read_modules();
    assert!(modules.len() > 20, "the modules are not read any more: {modules:?}");
    // Modules that use no other remaining module are removed, until none remains, or only circles do.
    loop {
        let left: Vec<String> = modules.keys().cloned().collect();
        modules.retain(|module, used| used.iter().any(|other| other != module && left.contains(other)));
        if modules.len() == left.len() {
            break;
        }
    }
    assert!(modules.is_empty(), "in a circle: {:?}", modules.keys());
}
