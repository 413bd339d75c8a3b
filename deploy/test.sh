#!/usr/bin/env bash
# Runs every check of the project, on a Debian machine with Rust, and leaves nothing running.
# `deploy/test.sh --help` says what it takes. The steps are the short list at the end of this file:
# to add a check, add a line there.
#
# shellcheck disable=SC2317  # most functions are reached only through `step`
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=deploy/packages.sh
. deploy/packages.sh

usage() {
    cat <<'TEXT'
Usage: deploy/test.sh [--only GROUP[,GROUP…]] [--list] [--help]

Runs the checks, prints how long each took, and exits with 0 only if all of them passed.

  --only GROUPS  run only the steps of these groups, e.g. --only lint,unit
  --list         print the steps with their groups, and run nothing
  --help         print this text

Missing Debian packages are installed first (as root). The tests run under cargo-nextest where
it is installed, and under cargo test otherwise.
Real mail servers run privately on 127.0.0.x while the tests run, and are stopped afterwards.

Environment:
  MAILFLEET_LAB        lab.json of servers that are already up (deploy/lab/up DIR); they are used
                       and left running, instead of starting others
  MAILFLEET_LAB_CACHE  where the file systems of Courier, Cyrus and Exim are kept
                       (target/lab by default; they are built on first use, about a minute)
TEXT
}

# The servers that the tests talk to, and what deploy/lab needs to run them.
PACKAGES=(
    dovecot-imapd dovecot-pop3d dovecot-lmtpd dovecot-submissiond dovecot-auth-lua postfix
    rabbitmq-server postgresql prometheus debootstrap openssl python3 procps time util-linux ca-certificates
)

ONLY=""
LIST=no
while [ $# -gt 0 ]; do
    case $1 in
        --only)
            [ $# -ge 2 ] || { usage >&2; exit 2; }
            ONLY=$2
            shift
            ;;
        --only=*) ONLY=${1#--only=} ;;
        --list) LIST=yes ;;
        -h | --help)
            usage
            exit 0
            ;;
        *)
            echo "deploy/test.sh: unknown argument: $1" >&2
            usage >&2
            exit 2
            ;;
    esac
    shift
done

SUMMARY=()
STATUS=0 # of the last step
FAILED=0 # 1 once any step failed
LAB_DIR=""

say() { printf '\n=== %s\n' "$*"; }
loud() { printf '\n!!! %s\n' "$*" >&2; }

# selected GROUPS: whether one of these groups, separated by commas, was asked for.
selected() {
    local group
    [ -n "$ONLY" ] || return 0
    for group in ${1//,/ }; do
        [[ ",$ONLY," != *",$group,"* ]] || return 0
    done
    return 1
}

# step GROUPS TITLE COMMAND…: runs the command in a subshell, times it and remembers its outcome.
# The steps after a failed one run all the same, so that one run shows everything that is wrong.
step() {
    local groups=$1 title=$2 began=$SECONDS outcome=ok
    shift 2
    STATUS=0
    if [ "$LIST" = yes ]; then
        printf '%-10s %s\n' "$groups" "$title"
        return
    fi
    selected "$groups" || return 0
    say "$title"
    # A subshell under `||` would ignore `set -e`, so the status is taken in this clumsy way.
    set +e
    (
        set -e
        "$@"
    )
    STATUS=$?
    set -e
    if [ "$STATUS" -ne 0 ]; then
        outcome=FAILED
        FAILED=1
    fi
    SUMMARY+=("$(printf '%-7s %5d s  %s' "$outcome" $((SECONDS - began)) "$title")")
}

# must GROUPS TITLE COMMAND…: a step without which the ones after it mean nothing.
must() {
    step "$@"
    if [ "$STATUS" -ne 0 ]; then
        loud "$2: failed, so nothing after it was run"
        exit 1
    fi
}

finish() {
    local status=$?
    trap - EXIT INT TERM
    if [ -n "$LAB_DIR" ] && [ -d "$LAB_DIR" ]; then
        deploy/lab/down "$LAB_DIR" || status=1
        if [ "$status" -eq 1 ]; then
            loud "the servers' logs are kept: $LAB_DIR/*/log"
        else
            rm -rf "$LAB_DIR"
        fi
    fi
    if [ ${#SUMMARY[@]} -gt 0 ]; then
        say "summary ($SECONDS s)"
        printf '%s\n' "${SUMMARY[@]}"
    fi
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Both runners run the same tests. Nextest gives each a process and ends those that hang; it
# is not installed here, since building it takes longer than all the tests.
run_tests() {
    if cargo nextest --version >/dev/null 2>&1; then
        loud "test runner: $(cargo nextest --version | head -n 1)"
        cargo nextest run --workspace --locked --no-fail-fast
    else
        loud "test runner: plain cargo test (faster and stricter: cargo install --locked cargo-nextest)"
        cargo test --workspace --locked --no-fail-fast --lib --bins --tests
    fi
}

# The licences, bans and sources of dependencies; the tool is used where it is installed.
check_dependencies() {
    if cargo deny --version >/dev/null 2>&1; then
        cargo deny --offline --locked check licenses bans sources
    else
        loud "SKIPPED: cargo-deny is not installed (cargo install --locked cargo-deny)"
    fi
}

# The short scenario of the load test, with the programs that the tests were built with.
load_test() {
    local out
    out=$(mktemp -d)
    cargo build --locked --quiet -p mailfleet-mailfleet -p mailfleet-loadtest
    target/debug/mailfleet-loadtest run loadtest/scenarios/short.toml --out "$out"
    rm -rf "$out"
}

lab_up() {
    if [ -n "$LAB_DIR" ]; then deploy/lab/up "$LAB_DIR"; else echo "using $MAILFLEET_LAB"; fi
}

if [ "$LIST" = no ] && selected lab,unit,load; then
    # A test whose server is missing then fails; by hand, without this, it says that it was skipped.
    export MAILFLEET_LAB_REQUIRED=1
    if [ -z "${MAILFLEET_LAB:-}" ]; then
        LAB_DIR=$(mktemp -d "${TMPDIR:-/tmp}/mailfleet-lab.XXXXXX")
        export MAILFLEET_LAB=$LAB_DIR/lab.json
    fi
fi

# The steps: groups, title, command. A `must` that fails ends the run; a `step` lets the others run.
must lab,unit,load "Debian packages" install_packages "${PACKAGES[@]}"
step lint "Formatting" cargo fmt --all --check
step lint "Clippy" cargo clippy --workspace --all-targets --locked -- -D warnings
step unit "Alert rules and dashboard" deploy/observe/check
step deny "Dependencies" check_dependencies
must lab,unit,load "Mail servers start" lab_up
step lab "Mail servers answer as expected" deploy/lab/check
step unit "Tests" run_tests
step load "Load test, the short scenario" load_test
step unit "Documentation tests" cargo test --workspace --locked --doc --quiet

if [ "$LIST" = no ] && [ ${#SUMMARY[@]} -eq 0 ]; then
    echo "deploy/test.sh: no step is in a group of: $ONLY" >&2
    exit 2
fi
exit "$FAILED"
