# What the gates need from the machine. Sourced by scripts/test.

# Rust is the user's own to install: no toolchain is downloaded here.
require_toolchain() {
    if ! command -v cargo >/dev/null && [ -x "${HOME:-}/.cargo/bin/cargo" ]; then
        PATH=$HOME/.cargo/bin:$PATH
    fi
    command -v cargo >/dev/null || die 'cargo is missing: install Rust, see https://rustup.rs'
    cargo fmt --version >/dev/null 2>&1 || die 'rustfmt is missing: rustup component add rustfmt'
    cargo clippy --version >/dev/null 2>&1 || die 'clippy is missing: rustup component add clippy'
}

has_c_compiler() {
    printf '#include <stdio.h>\nint main(void) { return 0; }\n' | cc -x c -o /dev/null - 2>/dev/null
}

# libFuzzer is C++.
has_cxx_compiler() {
    printf '#include <string>\nint main() { return 0; }\n' | c++ -x c++ -o /dev/null - 2>/dev/null
}

has_postgres() {
    [ -n "$(postgres_bin)" ]
}

has_mariadb() {
    [ -n "$(find_program mariadbd)" ] && [ -n "$(find_program mariadb-install-db)" ]
}

has_prometheus() {
    [ -n "$(find_program promtool)" ] && [ -n "$(find_program prometheus)" ]
}

has_pushgateway() {
    [ -n "$(find_program prometheus-pushgateway)" ]
}

has_alertmanager() {
    [ -n "$(find_program prometheus-alertmanager)" ]
}

has_victoria_metrics() {
    [ -n "$(find_program victoria-metrics)" ]
}

has_rsyslog() {
    [ -n "$(find_program rsyslogd)" ] && [ -e "$(dpkg -L rsyslog-elasticsearch 2>/dev/null | grep -m 1 omelasticsearch.so)" ]
}

# The model of AWS' API, which the task definition of ECS is checked by.
has_botocore() {
    [ -n "$(find_program python3)" ] && python3 -c 'import botocore' 2>/dev/null
}

# The other reader of scrapes. Debian's package is for Debian's Python, which may not be the first one in the path.
has_prometheus_client() {
    local python
    for python in python3 /usr/bin/python3; do
        if "$python" -c 'import prometheus_client' 2>/dev/null; then
            return
        fi
    done
    return 1
}

# Daemons live in sbin, which an ordinary user's PATH leaves out.
find_program() {
    PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin command -v "$1" || true
}

# The directory of PostgreSQL's server programs, which Debian keeps out of PATH; empty when there is none.
postgres_bin() {
    local bin
    if command -v postgres >/dev/null && command -v initdb >/dev/null; then
        dirname "$(command -v postgres)"
        return
    fi
    for bin in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV); do
        if [ -x "$bin/postgres" ] && [ -x "$bin/initdb" ]; then
            printf '%s\n' "$bin"
            return
        fi
    done
}

# Need by need: the test that shows it is met, and the packages that meet it.
needs='
has_c_compiler gcc libc6-dev
has_cxx_compiler g++
has_postgres postgresql
has_mariadb mariadb-server
has_prometheus prometheus
has_pushgateway prometheus-pushgateway
has_alertmanager prometheus-alertmanager
has_victoria_metrics victoria-metrics
has_rsyslog rsyslog rsyslog-elasticsearch
has_botocore python3-botocore
has_prometheus_client python3-prometheus-client
'

install_missing_packages() {
    local has packages missing=()
    while read -r has packages; do
        if [ -n "$has" ] && ! "$has"; then
            # Unquoted: a need may take several packages.
            missing+=($packages)
        fi
    done <<<"$needs"
    if [ ${#missing[@]} -gt 0 ]; then
        install_packages "${missing[@]}"
    fi

    while read -r has packages; do
        if [ -n "$has" ] && ! "$has"; then
            die "installing the package $packages was not enough ($has still fails)"
        fi
    done <<<"$needs"
    echo 'compilers of C and C++, PostgreSQL, MariaDB, Prometheus, its Pushgateway and its client for Python, rsyslog and botocore are there'
}

install_packages() {
    local package
    echo "installing by apt-get: $*"
    command -v apt-get >/dev/null || die "there is no apt-get here; install the equivalents of: $*"
    apt_get update -qq || echo 'apt-get update failed; going on with the package lists that are there'
    for package in "$@"; do
        apt-cache show "$package" >/dev/null 2>&1 || die "the package $package is not to be had from this machine's sources"
    done
    forbid_service_starts
    apt_get install -y -qq --no-install-recommends "$@" || die "apt-get could not install: $*"
    allow_service_starts
}

# Not by `run`, so that a signal waits for its end: a dpkg that was cut short leaves the machine to be mended by hand, and
# sudo may have to ask on the terminal.
apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@"
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "neither root nor sudo: cannot run $*"
    fi
}

# Debian starts a server as soon as its package is in. The tests start their own, so while packages are installed the
# machine's policy says no, unless it has a policy already.
service_policy=/usr/sbin/policy-rc.d
service_policy_mark='# Written by scripts/test of monitor while it installs packages, in process'

forbid_service_starts() {
    if [ ! -e "$service_policy" ]; then
        printf '#!/bin/sh\n%s %s\nexit 101\n' "$service_policy_mark" "$$" | as_root tee "$service_policy" >/dev/null
        as_root chmod 755 "$service_policy"
    fi
}

# Takes our policy away again; one that is not ours stays.
allow_service_starts() {
    if [ "$(service_policy_writer)" = "$$" ]; then
        as_root rm -f "$service_policy"
    fi
}

# Takes away what a run that was killed left behind.
lift_stale_policy() {
    local writer
    writer=$(service_policy_writer)
    if [ -n "$writer" ] && [ ! -d "/proc/$writer" ]; then
        echo "removing $service_policy, left by a run that was killed"
        as_root rm -f "$service_policy"
    fi
}

# The process that wrote the policy, if it was one of ours.
service_policy_writer() {
    if [ -e "$service_policy" ]; then
        sed -n "s|^$service_policy_mark \([0-9]*\)\$|\1|p" "$service_policy"
    fi
}
