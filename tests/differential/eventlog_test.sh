#!/usr/bin/env bash
# Our reading of event logs and Google's (go-eventlog and go-attestation, from Debian) agree: the same verdict (read, and
# replayed to the registers that the machine had), the same events, and the same Secure Boot with its keys, for every real
# log of the packages and for thousands of changed ones. Where they differ, tests/differential/eventlog/cases.cc says why.
#   tests/differential/eventlog_test.sh [count]
set -euo pipefail
cd "$(dirname "$0")/../.."
tools/deps/evidence.sh
tools/deps/go.sh
CSTL_EVIDENCE=$(tools/deps/evidence.sh --print-prefix)
GOROOT=$(tools/deps/go.sh --print-prefix)
export CSTL_EVIDENCE GOROOT GOPATH=$CSTL_EVIDENCE/usr/share/gocode
export GO111MODULE=off GOTOOLCHAIN=local GOFLAGS='' CGO_ENABLED=0 GOCACHE=${GOCACHE:-$PWD/build/go-cache}
build=${CSTL_BUILD:-build/release}
count=${1:-20000}
seed=20260726
logs=$GOPATH/src/github.com/google/
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

ninja -C "$build" eventlog_cases >"$tmp/build.log" 2>&1 || { cat "$tmp/build.log"; exit 1; }
"$GOROOT/bin/go" build -o "$tmp/judge" tests/differential/eventlog/judge.go
"$build/eventlog_cases" make "$logs" "$seed" "$count" | "$tmp/judge" >"$tmp/theirs"
"$build/eventlog_cases" compare "$logs" "$seed" "$count" "$tmp/theirs"
