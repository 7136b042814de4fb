# What the machine happens to have set must not decide what the tests see. Sourced by scripts/test.

# Left alone is what says where and how to build, not what to find: the target directory, the compiler, its wrapper and
# flags, the network, the number of test threads.
forget_settings() {
    # What the crate and the example read.
    unset LOG_LEVEL LOG_FORMAT RUST_LOG NO_COLOR DATABASE_URL ${!OTEL_@}
    # What the tests read, and the programs and libraries below them. `${!PG@}` is every name that begins with PG.
    unset TRYBUILD EXPANSIONS ${!MONITOR_@} ${!PROPTEST_@} ${!SQLX_@} ${!PG@} ${!MYSQL_@} ${!MARIADB_@}
    # Profiles turn on what tests look at, such as panics that abort; another target moves what they look for.
    unset ${!CARGO_PROFILE_@} CARGO_BUILD_TARGET CLIPPY_CONF_DIR CLIPPY_ARGS RUSTC_BOOTSTRAP
    # Panics may show where they came from, but errors must print the same everywhere.
    export RUST_LIB_BACKTRACE=0
}
