# A PostgreSQL and a MariaDB for one run of the tests. Sourced by scripts/test.

postgres_pid=
mariadb_pid=

start_databases() {
    choose_service_user
    database_password=$(od -An -N 16 -tx1 /dev/urandom | tr -d ' \n')
    start_postgres
    start_mariadb
}

# Stops what start_databases started, however far it came.
stop_databases() {
    stop "$postgres_pid" INT
    stop "$mariadb_pid" TERM
}

start_postgres() {
    local bin home=$scratch/postgres port
    bin=$(postgres_bin)
    make_home "$home"
    write_for_service "$home/password" "$database_password"
    run "${as_service[@]}" --pdeathsig INT "$bin/initdb" --pgdata="$home/data" --username=monitor --pwfile="$home/password" \
        --auth=scram-sha-256 --encoding=UTF8 --locale=C --no-sync >"$scratch/initdb.log" 2>&1 ||
        die_with_log 'initdb failed' "$scratch/initdb.log"

    for _ in 1 2 3 4 5; do
        port=$(free_port)
        "${as_service[@]}" --pdeathsig INT "$bin/postgres" -D "$home/data" -p "$port" \
            -c listen_addresses=127.0.0.1 -c unix_socket_directories= \
            -c fsync=off -c full_page_writes=off -c synchronous_commit=off >"$scratch/postgres.log" 2>&1 9<&- &
        postgres_pid=$!
        if wait_until "$postgres_pid" grep -qs ready "$home/data/postmaster.pid"; then
            export MONITOR_TEST_POSTGRES_BIN=$bin
            export MONITOR_TEST_POSTGRES_URL="postgres://monitor:$database_password@127.0.0.1:$port/postgres"
            echo "PostgreSQL listens on 127.0.0.1:$port"
            return
        fi
        stop "$postgres_pid" INT
        postgres_pid=
    done
    die_with_log 'PostgreSQL did not start' "$scratch/postgres.log"
}

start_mariadb() {
    local home=$scratch/mariadb port
    make_home "$home"
    run "${as_service[@]}" --pdeathsig TERM "$(find_program mariadb-install-db)" --no-defaults --datadir="$home/data" --skip-test-db \
        >"$scratch/mariadb-install-db.log" 2>&1 ||
        die_with_log 'mariadb-install-db failed' "$scratch/mariadb-install-db.log"
    # Tests end sessions of their own, so their account may do everything.
    write_for_service "$home/init.sql" "CREATE DATABASE monitor;
        CREATE USER monitor@'127.0.0.1' IDENTIFIED BY '$database_password';
        GRANT ALL ON *.* TO monitor@'127.0.0.1';"

    for _ in 1 2 3 4 5; do
        port=$(free_port)
        "${as_service[@]}" --pdeathsig TERM "$(find_program mariadbd)" --no-defaults --datadir="$home/data" --init-file="$home/init.sql" \
            --bind-address=127.0.0.1 --port="$port" --socket="$home/socket" --pid-file="$home/pid" --skip-name-resolve \
            --innodb-flush-log-at-trx-commit=0 --innodb-buffer-pool-size=32M >"$scratch/mariadb.log" 2>&1 9<&- &
        mariadb_pid=$!
        if wait_until "$mariadb_pid" grep -qs 'ready for connections' "$scratch/mariadb.log"; then
            export MONITOR_TEST_MYSQL_URL="mysql://monitor:$database_password@127.0.0.1:$port/monitor"
            echo "MariaDB listens on 127.0.0.1:$port"
            return
        fi
        stop "$mariadb_pid" TERM
        mariadb_pid=
    done
    die_with_log 'MariaDB did not start' "$scratch/mariadb.log"
}

# The command that servers are started through. Neither of them runs as root, so root hands them to nobody; each asks
# for a signal that ends it should this script be killed.
choose_service_user() {
    as_service=(env -C "$scratch" setpriv)
    if [ "$(id -u)" -eq 0 ]; then
        as_service+=("--reuid=nobody" "--regid=$(id -g nobody)" --clear-groups)
    fi
}

# A directory that the servers' user owns.
make_home() {
    mkdir -m 700 "$1"
    give_to_service "$1"
}

write_for_service() {
    (umask 077 && printf '%s' "$2" >"$1")
    give_to_service "$1"
}

give_to_service() {
    if [ "$(id -u)" -eq 0 ]; then
        chown "nobody:$(id -g nobody)" "$1"
    fi
}

# A port that nothing answers on, below those that the kernel gives to clients. Another process may still take it first;
# the server then fails to start and the next one is tried.
free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 12000))
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            printf '%s\n' "$port"
            return
        fi
    done
}

# Waits until a command succeeds, at most a minute; fails as soon as that process is gone.
wait_until() {
    local pid=$1
    shift
    for _ in $(seq 600); do
        if "$@"; then
            return 0
        fi
        kill -0 "$pid" 2>/dev/null || return 1
        sleep 0.1
    done
    return 1
}

# Ends a server by its signal, and by force when it has not gone after ten seconds.
stop() {
    local pid=$1 signal=$2
    if [ -z "$pid" ]; then
        # Spelled out: in an exit trap a bare return gives the status that the script is ending with.
        return 0
    fi
    kill "-$signal" "$pid" 2>/dev/null || true
    for _ in $(seq 100); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
}

die_with_log() {
    tail -n 30 "$2" >&2
    die "$1"
}
