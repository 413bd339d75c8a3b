#!/usr/bin/env bash
# A whole fleet on one machine: RabbitMQ, PostgreSQL, two gateways, three workers, simulated mail
# servers. `deploy/dev/fleet.sh --help` says what it takes.
#
# Everything lies in one directory and listens on loopback. Processes are known by their number and
# start time, so that `down` never hits a stranger that got the same number later.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=deploy/packages.sh
. deploy/packages.sh

usage() {
    cat <<'TEXT'
Usage: deploy/dev/fleet.sh up|status|demo|down [DIR]

  up      install what is missing (as root), build, start everything, wait until it is ready
  status  say what runs where
  demo    run a few checks through the gateways, good and bad ones, and show what the fleet did
  down    end everything that `up` started, and remove DIR

DIR is /tmp/mailfleet-fleet unless given; unprivileged users must be able to reach it.

Environment:
  MAILFLEET_BIN       the mailfleet program (target/release/mailfleet, built if need be)
  MAILFLEET_LOADTEST  the program with the simulated servers, likewise
TEXT
}

PACKAGES=(rabbitmq-server postgresql openssl python3 procps util-linux ca-certificates)
GATEWAYS=(gateway-1 gateway-2)
WORKERS=(worker-1 worker-2 worker-3)
# Longest wait for a process to be ready, and to end when asked to, in tenths of a second.
READY=300
ENDING=150

die() {
    echo "deploy/dev/fleet.sh: $*" >&2
    exit 1
}

# start_time PID: when the process began, in clock ticks since boot; fails if it has ended.
start_time() {
    local line
    { read -r line <"/proc/$1/stat"; } 2>/dev/null || return 1
    # The name in parentheses may hold anything; the state and 18 more fields follow it.
    # shellcheck disable=SC2086  # to be split
    set -- ${line##*) }
    [ "$1" != Z ] || return 1
    echo "${20}"
}

# alive PID START: whether it is still the process that was started.
alive() { [ "$(start_time "$1")" = "$2" ]; }

# start NAME COMMAND…: runs a program of its own session, its output and log in DIR/log.
start() {
    local name=$1 pid
    shift
    setsid "$@" >"$DIR/log/$name.out" 2>"$DIR/log/$name.log" </dev/null &
    pid=$!
    echo "$pid $(start_time "$pid") $name" >>"$DIR/processes"
}

# each COMMAND…: runs it with PID, START and NAME of everything that was started.
each() {
    local pid started name
    [ -e "$DIR/processes" ] || return 0
    while read -r pid started name; do "$@" "$pid" "$started" "$name"; done <"$DIR/processes"
}

end() { ! alive "$1" "$2" || kill -TERM "$1"; }
end_now() { ! alive "$1" "$2" || kill -KILL "$1"; }
say_if_alive() { ! alive "$1" "$2" || echo "$3"; }

# http ADDRESS PATH: the status line of a page.
http() {
    local answer
    exec 3<>"/dev/tcp/${1%:*}/${1##*:}" || return 1
    printf 'GET %s HTTP/1.0\r\n\r\n' "$2" >&3
    read -r answer <&3 || answer=""
    exec 3<&- 3>&-
    printf '%s\n' "$answer"
}

# address NAME KIND: where a process listens, by the one line that it prints when it does.
address() {
    local line
    line=$(head -n 1 "$DIR/log/$1.out" 2>/dev/null) || return 1
    case $2 in
        grpc) line=${line#*listens on http://} ;;
        admin) line=${line##*http://} ;;
    esac
    line=${line%%;*}
    [ -n "$line" ] && printf '%s\n' "$line"
}

ready() {
    local at
    at=$(address "$1" admin) && [[ $(http "$at" /readyz 2>/dev/null) == *" 200 "* ]]
}

# wait_ready NAME: until the process is ready; what it logged is shown if it ends before.
wait_ready() {
    local tries
    for ((tries = 0; tries < READY; tries++)); do
        ! ready "$1" || return 0
        # Not -q: it would close the pipe too early.
        each say_if_alive | grep -x "$1" >/dev/null || break
        sleep 0.1
    done
    tail -n 20 "$DIR/log/$1.log" >&2
    die "$1 does not become ready"
}

# fact PATH: a value of the lab's description, such as rabbitmq.url.
fact() {
    python3 -c 'import functools, json, sys
lab = json.load(open(sys.argv[1]))
print(functools.reduce(lambda value, name: value[name], sys.argv[2].split("."), lab))' \
        "$DIR/lab/lab.json" "$1"
}

build() {
    BIN=${MAILFLEET_BIN:-target/release/mailfleet}
    SIMULATOR=${MAILFLEET_LOADTEST:-target/release/mailfleet-loadtest}
    if [ -z "${MAILFLEET_BIN:-}" ] || [ -z "${MAILFLEET_LOADTEST:-}" ]; then
        cargo build --release --locked --quiet -p mailfleet-mailfleet -p mailfleet-loadtest
    fi
    BIN=$(realpath "$BIN")
    SIMULATOR=$(realpath "$SIMULATOR")
    ln -sf "$BIN" "$DIR/mailfleet"
}

# What all processes have in common; passwords come by the environment.
config() {
    cat <<TOML
[fleet]
shards = 16
[targets]
allow = ["127.0.0.0/8"]
[trust]
roots = ["$DIR/mail-ca.pem"]
[limits]
concurrency = 20
[[egress.pool]]
name = "default"
addresses = ["127.0.0.11", "127.0.0.12"]
[admin]
listen = "127.0.0.1:0"
TOML
}

start_mail() {
    local tries
    # The servers end with their standard input, which this program keeps open.
    mkfifo "$DIR/mail-input"
    # shellcheck disable=SC2016  # the inner shell expands it
    start mail bash -c 'exec 4<>"$1"; exec "$2" simulate prompt <"$1"' - \
        "$DIR/mail-input" "$SIMULATOR"
    for ((tries = 0; tries < READY; tries++)); do
        ! grep -qx ready "$DIR/log/mail.out" || break
        sleep 0.1
    done
    sed -n '/BEGIN/,/END/p' "$DIR/log/mail.out" >"$DIR/mail-ca.pem"
    [ -s "$DIR/mail-ca.pem" ] || die "the simulated servers did not start"
}

up() {
    local name
    [ ! -e "$DIR" ] || die "$DIR is there already (deploy/dev/fleet.sh down $DIR)"
    install_packages "${PACKAGES[@]}"
    mkdir -p "$DIR/log"
    chmod 755 "$DIR"
    trap 'echo "not started; ending what was" >&2; down' EXIT
    : >"$DIR/processes"
    build
    deploy/lab/up "$DIR/lab" --only rabbitmq,postgres
    start_mail
    "$BIN" keys generate --key-file "$DIR/workers.keys"
    "$BIN" keys public --key-file "$DIR/workers.keys" "$DIR/gateways.keys"
    MAILFLEET_BROKER__URL=$(fact rabbitmq.url)
    MAILFLEET_STORE__URL=$(fact postgres.url)
    export MAILFLEET_BROKER__URL MAILFLEET_STORE__URL
    for name in "${GATEWAYS[@]}" "${WORKERS[@]}"; do
        config >"$DIR/$name.toml"
        case $name in
            gateway-*)
                printf '[gateway]\nlisten = "127.0.0.1:0"\n[vault]\nkey_file = "%s"\n' \
                    "$DIR/gateways.keys" >>"$DIR/$name.toml"
                ;;
            *) printf '[vault]\nkey_file = "%s"\n' "$DIR/workers.keys" >>"$DIR/$name.toml" ;;
        esac
        start "$name" "$BIN" -v "${name%-*}" --config "$DIR/$name.toml"
    done
    for name in "${GATEWAYS[@]}" "${WORKERS[@]}"; do wait_ready "$name"; done
    trap - EXIT
    status
    name=$(address gateway-1 grpc)
    cat <<TEXT

To try:
  PW=bench-password $DIR/mailfleet check user@localhost.test $(servers) --password-env PW --gateway http://$name
  $DIR/mailfleet job list --gateway http://$name
  $DIR/mailfleet fleet workers --gateway http://$name
TEXT
}

# The options for a check of the simulated servers.
servers() {
    local imap smtp
    read -r _ imap _ smtp <"$DIR/log/mail.out"
    printf -- '--imap localhost:%s/tls --smtp localhost:%s/tls\n' "$imap" "$smtp"
}

row() {
    local where=-
    case $3 in
        gateway-*) where="http://$(address "$3" grpc || true)" ;;
        worker-*) where="health on http://$(address "$3" admin || true)" ;;
        mail) where=$(servers) ;;
    esac
    if alive "$1" "$2"; then
        printf '%-10s  %8s  %s\n' "$3" "$1" "$where"
    else
        printf '%-10s  %8s  %s\n' "$3" ended "see $DIR/log/$3.log"
    fi
}

status() {
    [ -e "$DIR/processes" ] || die "no fleet runs in $DIR (deploy/dev/fleet.sh up $DIR)"
    printf '%-10s  %8s  %s\n' NAME PID WHERE
    each row
    if [ -e "$DIR/lab/lab.json" ]; then
        printf '%-10s  %8s  %s\n' rabbitmq - "$(fact servers.rabbitmq.amqp)" \
            postgres - "$(fact servers.postgres.sql)"
    fi
}

# told TITLE COMMAND…: shows the command's answer; a check's verdict is no failure of ours.
told() {
    local status=0
    printf '\n--- %s\n' "$1"
    shift
    "$@" || status=$?
    [ "$status" -le 1 ] || die "exit status $status"
}

demo() {
    [ -e "$DIR/processes" ] || die "no fleet runs in $DIR (deploy/dev/fleet.sh up $DIR)"
    local first second mailfleet=$DIR/mailfleet imap smtp
    first=http://$(address gateway-1 grpc)
    second=http://$(address gateway-2 grpc)
    read -r _ imap _ smtp <"$DIR/log/mail.out"
    # shellcheck disable=SC2317  # reached through `told`
    check() { "$mailfleet" check user@localhost.test --password-env PW --gateway "$@"; }
    PW=bench-password told "a mailbox that works" \
        check "$first" --imap "localhost:$imap/tls" --smtp "localhost:$smtp/tls"
    PW=wrong told "a wrong password, through the other gateway" \
        check "$second" --imap "localhost:$imap/tls" --smtp "localhost:$smtp/tls"
    PW=bench-password told "a port where nobody listens" \
        check "$second" --imap "localhost:$imap/tls" --smtp localhost:1/tls
    told "the jobs, as the other gateway knows them" "$mailfleet" job list --gateway "$first"
    told "the workers" "$mailfleet" fleet workers --gateway "$second"
    told "the mail servers and their limits" "$mailfleet" fleet groups --gateway "$first"
}

down() {
    local tries failed=no
    [ -e "$DIR" ] || return 0
    [ -e "$DIR/processes" ] || die "$DIR is not a fleet's: nothing was touched"
    each end
    for ((tries = 0; tries < ENDING; tries++)); do
        [ -n "$(each say_if_alive)" ] || break
        sleep 0.1
    done
    each end_now
    if [ -e "$DIR/lab/processes" ]; then deploy/lab/down "$DIR/lab" || failed=yes; fi
    [ "$failed" = no ] || die "not everything ended; $DIR is kept"
    rm -rf "$DIR"
}

case ${1:-} in
    up | status | demo | down) ;;
    -h | --help)
        usage
        exit 0
        ;;
    *)
        usage >&2
        exit 2
        ;;
esac
DIR=$(realpath -m "${2:-/tmp/mailfleet-fleet}")
"$1"
