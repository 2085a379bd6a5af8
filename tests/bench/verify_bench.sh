#!/usr/bin/env bash
# Verification of vendors' evidence next to Google's verifiers, from Debian, on the same inputs in the same run. Both count
# CPU time, so that what else runs here matters little.
set -euo pipefail
cd "$(dirname "$0")/../.."
tools/deps/evidence.sh
tools/deps/go.sh
CSTL_EVIDENCE=$(tools/deps/evidence.sh --print-prefix)
GOROOT=$(tools/deps/go.sh --print-prefix)
export CSTL_EVIDENCE GOROOT GOPATH=$CSTL_EVIDENCE/usr/share/gocode
export GO111MODULE=off GOTOOLCHAIN=local GOFLAGS='' CGO_ENABLED=0 GOCACHE=${GOCACHE:-$PWD/build/go-cache}
build=${CSTL_BUILD:-build/release}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

ninja -C "$build" evidence_bench >"$tmp/build.log" 2>&1 || { cat "$tmp/build.log"; exit 1; }
"$GOROOT/bin/go" build -o "$tmp/verify" tests/bench/verify.go
"$build/evidence_bench" "$tmp/inputs"
"$tmp/verify" "$tmp/inputs"
