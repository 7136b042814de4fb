//! What the attributes accept, and what they say of what they do not.
//!
//! The programs stand in `tests/ui` of the workspace. After a change of wording, `TRYBUILD=overwrite` writes the
//! expected messages anew; read them before they are committed.

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
fn each_fault_is_one_message_at_its_token() {
    let cases = trybuild::TestCases::new();
    // What the compiler finds in the emitted code is not found where none is emitted.
    let directories: &[&str] = if cfg!(feature = "off") {
        &[
            "block",
            "contradiction",
            "duplicate_argument",
            "fields",
            "item",
            "missing_value",
            "objective",
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
