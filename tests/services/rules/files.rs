//! Files below `docs/`, read as what they are.

use std::fs;
use std::path::PathBuf;

use serde::Deserialize as _;
use serde_json::Value;

/// The folder of that name below `docs/`.
pub(crate) fn folder(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "docs", name].iter().collect()
}

/// Every file of the folder with that extension, by name.
pub(crate) fn files(name: &str, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder(name)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|is| is == extension)).collect();
    files.sort();
    assert!(!files.is_empty(), "docs/{name} has no .{extension}");
    files
}

pub(crate) fn text(path: &str) -> String {
    fs::read_to_string(folder(path)).unwrap_or_else(|error| panic!("docs/{path}: {error}"))
}

pub(crate) fn json(path: &str) -> Value {
    serde_json::from_str(&text(path)).unwrap_or_else(|error| panic!("docs/{path}: {error}"))
}

/// A YAML file of one document.
pub(crate) fn yaml(path: &str) -> Value {
    let [document] = <[Value; 1]>::try_from(documents(path)).expect("one document");
    document
}

/// A YAML file of any number of documents.
pub(crate) fn documents(path: &str) -> Vec<Value> {
    let text = text(path);
    let documents = serde_yaml_ng::Deserializer::from_str(&text);
    documents
        .map(|document| Value::deserialize(document).unwrap_or_else(|error| panic!("docs/{path}: {error}")))
        .collect()
}

/// The entries of a list.
#[track_caller]
pub(crate) fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value[name].as_array().unwrap_or_else(|| panic!("no list {name} in {value}"))
}

#[track_caller]
pub(crate) fn string<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_else(|| panic!("no text {name} in {value}"))
}
