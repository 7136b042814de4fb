//! Programs that the attributes accept, and programs that they refuse, with the errors.
//!
//! The programs are in `tests/ui` of the workspace. After a change of wording, `TRYBUILD=overwrite` rewrites the expected errors.
//! Read the difference before you commit it.

use std::process::Command;

/// Prints a note if another compiler runs than the one whose errors are expected; cargo shows it only when the test fails.
///
/// There is no `rust-toolchain.toml` to choose the compiler: a pinned version has to be downloaded where the same one is installed
/// as `stable`.
fn print_other_compiler() {
    let expected = env!("CARGO_PKG_RUST_VERSION");
    let output = Command::new("rustc").arg("--version").output().unwrap();
    let version = String::from_utf8(output.stdout).unwrap();
    if !version.starts_with(&format!("rustc {expected}.")) {
        eprint!(
            "the expected errors are those of rustc {expected}; another compiler words its own differently: {version}"
        );
    }
}

#[test]
fn accepted_programs_compile_and_run() {
    trybuild::TestCases::new().pass("../tests/ui/pass/*.rs");
}

#[cfg(not(feature = "off"))]
#[test]
fn accepted_programs_count_their_calls() {
    trybuild::TestCases::new().pass("../tests/ui/pass/counted/*.rs");
}

#[test]
fn each_mistake_is_one_error_at_its_token() {
    print_other_compiler();
    let cases = trybuild::TestCases::new();
    // With `off`, no code is emitted in which the compiler could find the other mistakes.
    let directories: &[&str] = if cfg!(feature = "off") {
        &[
            "block",
            "budget",
            "combination",
            "duplicate_argument",
            "fields",
            "item",
            "missing_value",
            "model",
            "objective",
            "record",
            "repeats",
            "several",
            "stream",
            "unfinished",
            "unknown_argument",
            "wrong_kind",
            "wrong_place",
            "wrong_value",
        ]
    } else {
        &["*"]
    };
    for directory in directories {
        cases.compile_fail(format!("../tests/ui/fail/{directory}/*.rs"));
    }
}
