//! `track_query` with and without `operation`.
#![deny(warnings)]

use monitor_runtime::track_query;

#[track_query]
fn read_from_the_literal() -> &'static str {
    #![allow(clippy::needless_return)]
    return "SELECT 1";
}

#[track_query("named", operation = "vacuum")]
fn given(table: &str) -> String {
    format!("VACUUM {table}")
}

fn main() {
    assert_eq!(read_from_the_literal(), "SELECT 1");
    assert_eq!(given("runs"), "VACUUM runs");
}
