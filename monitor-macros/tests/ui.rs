//! What the attributes accept, and what they say of what they do not.
//!
//! The programs stand in `tests/ui` of the workspace. After a change of wording, `TRYBUILD=overwrite` writes the
//! expected messages anew; read them before they are committed.

#[test]
fn accepted_programs_compile_and_run() {
    trybuild::TestCases::new().pass("../tests/ui/pass/*.rs");
}

#[test]
fn each_fault_is_one_message_at_its_token() {
    trybuild::TestCases::new().compile_fail("../tests/ui/fail/*/*.rs");
}
