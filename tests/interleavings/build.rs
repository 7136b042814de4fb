//! Takes the cells of `monitor-runtime` as they are, and puts loom's types in the place of the standard library's.
//!
//! Loom makes its atomics anew for each interleaving, so no static of its types can be a constant; beyond that and the
//! paths nothing is changed. What is written in a form that is not known here does not compile.

use std::fs;
use std::path::Path;

/// Those that there are.
const FILES: [&str; 5] = ["shard", "promise", "buckets", "histogram", "reading"];

/// Loom lets a thread be joined before its thread-locals are dropped, and takes the statics away meanwhile. So the models
/// have the lease dropped as the last thing that a thread does.
const END_OF_A_THREAD: &str = "
pub(crate) fn end_thread() {
    LEASE.with(|lease| drop(Lease(Cell::new(lease.0.take()))));
}
";

fn main() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../monitor-runtime/src/registry");
    println!("cargo::rerun-if-changed={}", source.display());
    let mut modules = String::new();
    for file in FILES {
        if let Ok(code) = fs::read_to_string(source.join(file).with_extension("rs")) {
            let code = on_loom(&code);
            let end = if file == "shard" { END_OF_A_THREAD } else { "" };
            modules +=
                &format!("pub(crate) mod {file} {{\nuse crate::standard::CellKey as _;\n{code}{end}}}\n");
        }
    }
    let out = std::env::var_os("OUT_DIR").unwrap_or_default();
    if let Err(error) = fs::write(Path::new(&out).join("registry.rs"), modules) {
        println!("cargo::error=the cells cannot be written: {error}");
    }
}

/// The code before its tests.
fn on_loom(code: &str) -> String {
    let mut out = String::new();
    let is_test = |line: &&str| line.starts_with("#[cfg(test)]") || line.starts_with("#[cfg(all(test");
    let mut lines = code.lines().take_while(|line| !is_test(line)).filter(|line| !line.starts_with("//!"));
    while let Some(line) = lines.next() {
        let mut item = line.to_owned();
        while item.trim_start().starts_with("static ") && !is_whole(&item) {
            item.push('\n');
            item += lines.next().unwrap_or_default();
        }
        out += &as_static(&item);
        out.push('\n');
    }
    out.replace("std::", "crate::standard::").replace("thread_local! {", "loom::thread_local! {")
}

fn is_whole(item: &str) -> bool {
    let balance = item.matches(['(', '{']).count() == item.matches([')', '}']).count();
    balance && item.ends_with(';')
}

/// `static NAME: LazyLock<T> = LazyLock::new(|| value);` and `static NAME: AtomicUsize = value;` as loom has them; other
/// lines as they are.
fn as_static(line: &str) -> String {
    let Some((declared, value)) =
        line.trim_start().strip_prefix("static ").and_then(|line| line.split_once(" = "))
    else {
        return line.to_owned();
    };
    match declared.split_once(": ") {
        Some((name, "AtomicUsize")) => {
            format!("loom::lazy_static! {{ static ref {name}: AtomicUsize = {value} }}")
        }
        Some((name, kind)) if kind.starts_with("LazyLock<") => {
            let kind = &kind["LazyLock<".len()..kind.len() - 1];
            let value = value.trim_start_matches("LazyLock::new(|| ").trim_end_matches(");");
            format!("loom::lazy_static! {{ static ref {name}: {kind} = {value}; }}")
        }
        // In a thread-local, where loom's macro takes no constant expression.
        _ => line.replace("= const { ", "= ").replace(" };", ";"),
    }
}
