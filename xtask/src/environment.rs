//! Which settings of the machine are kept from what runs here: they must not decide what the tests see.
//!
//! Left alone is where and how to build: the target directory, the compiler, its wrapper and flags, the network, the number
//! of test threads.

use std::ffi::{OsStr, OsString};

const NAMES: &[&str] = &[
    // What the crate and the example read.
    "LOG_LEVEL",
    "LOG_FORMAT",
    "RUST_LOG",
    "NO_COLOR",
    "DATABASE_URL",
    // What the tests read.
    "TRYBUILD",
    "EXPANSIONS",
    // Another target moves the files that tests look for.
    "CARGO_BUILD_TARGET",
    "CLIPPY_CONF_DIR",
    "CLIPPY_ARGS",
    "RUSTC_BOOTSTRAP",
    // `cargo run` sets these for this program.
    "CARGO",
    "CARGO_CRATE_NAME",
    "CARGO_PRIMARY_PACKAGE",
];

const PREFIXES: &[&str] = &[
    "OTEL_",
    "MONITOR_",
    "PROPTEST_",
    "NEXTEST_",
    "SQLX_",
    // Client libraries of the databases.
    "PG",
    "MYSQL_",
    "MARIADB_",
    // Profiles turn on what tests look at, such as panics that abort.
    "CARGO_PROFILE_",
    // As for `CARGO` above.
    "CARGO_BIN_",
    "CARGO_MANIFEST_",
    "CARGO_PKG_",
];

const KEPT: &[&str] = &["NEXTEST_TEST_THREADS"];

/// The variables that what runs here must not see.
pub(crate) fn forgotten() -> impl Iterator<Item = OsString> {
    std::env::vars_os().map(|(name, _)| name).filter(|name| is_forgotten(name))
}

fn is_forgotten(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    let is_named = NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    is_named && !KEPT.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_forgotten_and_the_build_is_left_alone() {
        for name in ["TRYBUILD", "PGSSLMODE", "PROPTEST_CASES", "OTEL_SDK_DISABLED", "CARGO_PKG_NAME"] {
            assert!(is_forgotten(OsStr::new(name)), "{name}");
        }
        for name in ["RUSTFLAGS", "CARGO_TARGET_DIR", "CARGO_INCREMENTAL", "RUST_TEST_THREADS", "PATH"] {
            assert!(!is_forgotten(OsStr::new(name)), "{name}");
        }
    }
}
