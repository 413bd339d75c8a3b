#!/usr/bin/env bash
# Load on any gateway with ghz (https://ghz.sh), for those who would rather trust a tool that they
# know. Needs ghz, a running gateway, and a mail server that may be asked.
#
#   GATEWAY=127.0.0.1:7443 IMAP=mail.example.com:993 SMTP=mail.example.com:465 \
#   DOMAIN=example.com PASSWORD=… loadtest/ghz/validate.sh [RATE [SECONDS]]
#
# Every validation is of a mailbox of its own, load-N@DOMAIN: a mailbox that is being validated
# already would be joined, and not validated again. At a real server most of them do not exist; that
# is a report, too, and costs the server a failed login. With mailfleet's simulated servers
# (deploy/dev/fleet.sh up) use the user and password that it prints.
#
# ghz sends at a constant rate and does not wait for answers (--async), but counts latency from when
# it sent, not from when it should have: with a generator that falls behind, its percentiles look
# better than they are. mailfleet-loadtest counts from the intended time.
set -euo pipefail
cd "$(dirname "$0")/../.."

RATE=${1:-20}
SECONDS_LONG=${2:-30}
: "${GATEWAY:?address and port of a gateway}"
: "${IMAP:?host:port of an IMAP server, TLS from the first byte}"
: "${SMTP:?host:port of an SMTP server, TLS from the first byte}"
: "${DOMAIN:?domain of the mailboxes}"
: "${PASSWORD:?password of the mailboxes}"
USERNAME=${USERNAME:-}
command -v ghz >/dev/null || {
    echo "loadtest/ghz/validate.sh: ghz is not installed (https://ghz.sh)" >&2
    exit 2
}

# Bytes stand in base64 in protobuf-JSON.
SECRET=$(printf %s "$PASSWORD" | base64 -w 0)
DATA=$(mktemp)
METADATA=$(mktemp)
trap 'rm -f "$DATA" "$METADATA"' EXIT
cat >"$DATA" <<JSON
{
  "address": "load-{{.RequestNumber}}@$DOMAIN",
  "incoming": [{"endpoint": {"protocol": "IMAP", "host": "${IMAP%:*}", "port": ${IMAP##*:}, "security": "TLS"}}],
  "outgoing": {"endpoint": {"protocol": "SMTP", "host": "${SMTP%:*}", "port": ${SMTP##*:}, "security": "TLS"}},
  "login": {"username": "$USERNAME", "password": "$SECRET"},
  "test_mail": {"mode": "LOGIN_ONLY"}
}
JSON
if [ -n "${MAILFLEET_TOKEN:-}" ]; then
    printf '{"authorization": "Bearer %s"}' "$MAILFLEET_TOKEN" >"$METADATA"
else
    printf '{}' >"$METADATA"
fi

ghz --insecure --import-paths proto --proto proto/mailfleet/v1/validation_service.proto \
    --call mailfleet.v1.ValidationService/Validate \
    --data-file "$DATA" --metadata-file "$METADATA" \
    --async --rps "$RATE" --total $((RATE * SECONDS_LONG)) --connections 4 --timeout 120s \
    "$GATEWAY"
