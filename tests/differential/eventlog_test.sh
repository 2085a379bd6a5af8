#!/usr/bin/env bash
# Our reading of event logs and Google's (go-eventlog and go-attestation, from Debian) agree: the same verdict (read, and
# replayed to the registers that the machine had), the same events, and the same Secure Boot with its keys, for every real
# log of the packages and for thousands of changed ones. Where they differ, tests/differential/eventlog/cases.cc says why.
#   tests/differential/eventlog_test.sh [count]
# shellcheck source=tests/differential/google.sh
. "$(dirname "$0")/google.sh"
count=${1:-20000}
seed=20260726
logs=$GOPATH/src/github.com/google/

build_both eventlog_cases tests/differential/eventlog/judge.go
"$build/eventlog_cases" make "$logs" "$seed" "$count" | "$tmp/theirs-program" >"$tmp/theirs"
"$build/eventlog_cases" compare "$logs" "$seed" "$count" "$tmp/theirs"
