#!/usr/bin/env bash
# Load on any gateway with ghz (https://ghz.sh), for those who would rather trust a tool that they
# know. Needs ghz, a running gateway, and a mail server that may be asked. Tried with ghz 0.121.0.
#
#   MAILFLEET_GATEWAY=http://127.0.0.1:7443 IMAP=mail.example.com:993 SMTP=mail.example.com:465 \
#   DOMAIN=example.com PASSWORD=… loadtest/ghz/validate.sh [RATE [SECONDS [GHZ OPTION…]]]
#
# RATE validations a second (20) are sent for SECONDS (30); what follows goes to ghz as it is, such
# as `--format html --output page.html`. More of the environment:
#
#   LOGIN             user name of all mailboxes; each one's address if unset
#   MAILFLEET_TOKEN   the caller's token, where the gateway has tenants
#   GATEWAY_CA        PEM file with the authorities of an https:// gateway; the system's if unset
#
# Every validation is of a mailbox of its own, load-N@DOMAIN: a mailbox that is being validated
# already would be joined, and not validated again. At a real server most of them do not exist; that
# is a report, too, and costs the server a failed login. mailfleet's simulated servers
# (deploy/dev/fleet.sh up) know one login: LOGIN=user@localhost.test PASSWORD=bench-password.
#
# What ghz calls OK is a call that was answered, whatever the report says: `mailfleet job list` shows
# the verdicts. A login that was refused is not tried again for 15 minutes: the gateway answers by
# itself then, within a few milliseconds and without a job, and the percentiles say nothing. ghz
# exits with 0 even if every call failed.
#
# ghz sends at a constant rate and does not wait for answers (--async), but counts latency from when
# it sent, not from when it should have: with a generator that falls behind, its percentiles look
# better than they are. mailfleet-loadtest counts from the intended time.
set -euo pipefail
cd "$(dirname "$0")/../.."

die() {
    echo "loadtest/ghz/validate.sh: $*" >&2
    exit 2
}

RATE=${1:-20}
LASTS=${2:-30}
shift $(($# < 2 ? $# : 2))
[[ $RATE =~ ^[1-9][0-9]*$ && $LASTS =~ ^[1-9][0-9]*$ ]] || die "RATE and SECONDS are whole numbers"
GATEWAY=${MAILFLEET_GATEWAY:-http://127.0.0.1:7443}
: "${IMAP:?host:port of an IMAP server, TLS from the first byte}"
: "${SMTP:?host:port of an SMTP server, TLS from the first byte}"
: "${DOMAIN:?domain of the mailboxes}"
: "${PASSWORD:?password of the mailboxes}"
command -v ghz >/dev/null || die "ghz is not installed (https://ghz.sh)"
case $GATEWAY in
    http://*) SECURITY=(--insecure) ;;
    https://*) SECURITY=(${GATEWAY_CA:+--cacert "$GATEWAY_CA"}) ;;
    *) die "MAILFLEET_GATEWAY begins with http:// or https://" ;;
esac

# Bytes stand in base64 in protobuf-JSON.
SECRET=$(printf %s "$PASSWORD" | base64 | tr -d '\n')
# Secrets go into files that only we may read, not into arguments.
DATA=$(mktemp)
METADATA=$(mktemp)
trap 'rm -f "$DATA" "$METADATA"' EXIT
cat >"$DATA" <<JSON
{
  "address": "load-{{.RequestNumber}}@$DOMAIN",
  "incoming": [{"endpoint": {"protocol": "IMAP", "host": "${IMAP%:*}", "port": ${IMAP##*:}, "security": "TLS"}}],
  "outgoing": {"endpoint": {"protocol": "SMTP", "host": "${SMTP%:*}", "port": ${SMTP##*:}, "security": "TLS"}},
  "login": {"username": "${LOGIN:-}", "password": "$SECRET"},
  "test_mail": {"mode": "LOGIN_ONLY"}
}
JSON
if [ -n "${MAILFLEET_TOKEN:-}" ]; then
    printf '{"authorization": "Bearer %s"}' "$MAILFLEET_TOKEN" >"$METADATA"
else
    printf '{}' >"$METADATA"
fi

GATEWAY=${GATEWAY#*://}
ghz ${SECURITY[@]+"${SECURITY[@]}"} \
    --import-paths proto --proto proto/mailfleet/v1/validation_service.proto \
    --call mailfleet.v1.ValidationService/Validate \
    --data-file "$DATA" --metadata-file "$METADATA" \
    --async --rps "$RATE" --total $((RATE * LASTS)) --connections 4 --timeout 120s \
    "$@" "${GATEWAY%/}"
