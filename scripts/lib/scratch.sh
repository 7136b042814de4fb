# The folder of one run. Sourced by scripts/test.

scratch=

# Makes the folder in which everything temporary of the run is, that of the tests and the compiler included: they leave
# theirs behind when they are ended by a signal.
make_scratch() {
    # Below /tmp, not TMPDIR: the servers' unprivileged user has to reach it.
    scratch=$(mktemp -d /tmp/monitor-gates.XXXXXX)
    # Held on descriptor 9 as long as this script lives, and closed in all that it starts, so that nothing outlives it.
    exec 9<"$scratch"
    flock 9
    chmod 711 "$scratch"
    mkdir -m 1777 "$scratch/tmp"
    export TMPDIR=$scratch/tmp
    remove_stale_scratch
}

remove_scratch() {
    if [ -n "$scratch" ]; then
        rm -rf "$scratch"
    fi
}

# Removes the folders of runs that were killed. The newest are spared: between their making and their lock lies a moment.
remove_stale_scratch() {
    local folder
    while read -r folder; do
        if (exec 8<"$folder" && flock -n 8) 2>/dev/null; then
            echo "removing $folder, left by a run that was killed"
            rm -rf "$folder"
        fi
    done < <(find /tmp -maxdepth 1 -name 'monitor-gates.??????' -type d -user "$(id -u)" -mmin +1 2>/dev/null)
}
