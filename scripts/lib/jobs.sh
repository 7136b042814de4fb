# Commands that end with the script. Sourced by scripts/test.

running=

# Runs a command that may take long, in a process group of its own. Bash reacts to a signal at once while it waits for a
# job, but not before the end of a command that it runs itself.
run() {
    local status=0
    set -m
    "$@" 9<&- &
    running=$!
    set +m
    wait "$running" || status=$?
    running=
    return "$status"
}

# Ends what runs by `run`, with everything that it started, and by force what has not gone after ten seconds.
end_running_command() {
    if [ -z "$running" ]; then
        return 0
    fi
    kill -TERM -- "-$running" 2>/dev/null || true
    for _ in $(seq 100); do
        kill -0 -- "-$running" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL -- "-$running" 2>/dev/null || true
    wait "$running" 2>/dev/null || true
    running=
}
