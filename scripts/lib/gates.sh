# The gates around the tests. Sourced by scripts/test; each announces itself and fails the run when it does not hold.

# Cargo brings an outdated lock file up to date as it builds, and then the commit was not what is tested.
check_lock_file() {
    local said=$scratch/lock_file
    stage 'lock file: Cargo.lock matches the manifests'
    if run cargo metadata --locked --format-version 1 2>"$said" >/dev/null; then
        return
    fi
    cat "$said" >&2
    if grep -q -e --locked "$said"; then
        die 'Cargo.lock does not match the manifests: run `cargo check` and commit it'
    fi
    die 'cargo cannot read the manifests; its reason stands above'
}

check_scripts() {
    stage 'scripts: a run that is told to end leaves nothing behind'
    run scripts/lib/self_check
}

check_format() {
    stage 'format: cargo fmt --check'
    run cargo fmt --all --check
}

# The root package turns on every feature of monitor-runtime but `off`, so this covers them together.
check_lints() {
    stage 'lints: cargo clippy, warnings as errors'
    run cargo clippy --workspace --all-targets -- -D warnings
}

check_dependencies() {
    stage 'dependencies: the core and the attributes stay light'
    refuse_dependencies axum tokio sqlx sysinfo -- monitor-runtime --no-default-features
    refuse_dependencies axum tokio sqlx sysinfo -- monitor-runtime --no-default-features --features macros
    refuse_dependencies opentelemetry opentelemetry-proto opentelemetry_sdk prost ureq -- monitor-runtime
    refuse_other_dependencies
}

# refuse_dependencies NAME… -- PACKAGE OPTIONS…
refuse_dependencies() {
    local unwanted=() found
    while [ "$1" != -- ]; do
        unwanted+=(-e "$1")
        shift
    done
    shift
    list_dependencies "$@"
    found=$(grep -Fx "${unwanted[@]}" "$scratch/dependencies" | sort -u | tr '\n' ' ') || true
    if [ -n "$found" ]; then
        die "$* depends on: $found"
    fi
}

refuse_other_dependencies() {
    local found
    list_dependencies monitor-macros --depth 1
    found=$(grep -Fxv -e monitor-macros -e syn -e quote -e proc-macro2 "$scratch/dependencies" | tr '\n' ' ') || true
    if [ -n "$found" ]; then
        die "monitor-macros depends on syn, quote and proc-macro2 only, not on: $found"
    fi
}

# Writes the names of a package and of everything it depends on into a file of that name, a line each.
list_dependencies() {
    run cargo --color never tree --edges normal --prefix none --format '{p}' --package "$@" >"$scratch/tree"
    cut -d ' ' -f 1 "$scratch/tree" >"$scratch/dependencies"
}

# Another crate of the user's may turn on what ours leaves off, and `prometheus/protobuf` changes the types that `prometheus`
# shows: so each set is checked with it as well. Dependencies are built once for all sets, in the target directory that
# everything shares; without what a later build could take up again, a set takes half the time.
check_features() {
    local sets features
    stage 'features: monitor-runtime with none, each, each pair and all, with and without prometheus/protobuf'
    run scripts/lib/feature_sets >"$scratch/features"
    mapfile -t sets <"$scratch/features"
    for features in "${sets[@]}"; do
        check_feature_set "$features"
        check_feature_set "${features:+$features }prometheus/protobuf"
    done
}

check_feature_set() {
    echo "features: ${1:-none}"
    CARGO_INCREMENTAL=0 run cargo clippy --quiet --package monitor-runtime --no-default-features --features "$1" -- -D warnings
}

# Features add up over a workspace, so what the attributes do when they are off is tested by itself.
check_off() {
    stage 'tests: the attributes turned off'
    run cargo test --package monitor-macros --features off --tests
}

check_docs() {
    stage 'docs: cargo doc, warnings as errors'
    RUSTDOCFLAGS='-D warnings' run cargo doc --workspace --exclude monitor-benches --no-deps
}

# The targets are several times what is measured, so only a machine that stood still misses one: the second try is for
# that.
check_latencies() {
    stage 'latencies: each endpoint against its target'
    measure_latencies || { echo 'once more, in case the machine was busy'; measure_latencies; }
}

measure_latencies() {
    run cargo bench --package monitor-endpoints-bench --bench endpoints -- --quick --check
}

check_fuzzing() {
    stage 'fuzzing: each target for ten seconds'
    run scripts/fuzz 10
}

# Ten seconds show that the bench runs and that nothing leaks by the request; the ten minutes are in docs/benchmarks.md.
check_soak() {
    stage 'soak: the memory of a service under load'
    run cargo bench --package monitor-endpoints-bench --bench soak -- --quick --check
}
