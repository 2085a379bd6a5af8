#!/usr/bin/env bash
# Our verification of SEV-SNP reports and Google's (go-sev-guest, from Debian) give the same verdicts: for the real report
# with every bit flipped, for random mutations of it and of its certificate, and for what a made-up AMD signs. Where they
# differ on purpose, tests/differential/snp/cases.cc says why, and each such case must differ.
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

ninja -C "$build" snp_cases >"$tmp/build.log" 2>&1 || { cat "$tmp/build.log"; exit 1; }
"$GOROOT/bin/go" build -o "$tmp/verify" tests/differential/snp/verify.go
"$build/snp_cases" "$tmp/cases" "$tmp/ours"
"$tmp/verify" "$tmp/cases" >"$tmp/theirs"

paste -d '\t' "$tmp/ours" "$tmp/theirs" | awk -F '\t' '
  {
    split($1, mine, " ")
    ours = mine[1] == "ok"; theirs = $2 == "ok"; tag = mine[2]
    accepted += ours; tags[tag]++
    if ((ours != theirs) != (tag != "-")) { print "case " NR ": " $1 " | " $2; bad++ }
  }
  END {
    for (tag in tags) if (tag != "-") { kinds++; explained += tags[tag] }
    print NR " cases, " accepted " accepted by us, " explained + 0 " explained differences of " kinds + 0 " kinds, " bad + 0 " others"
    exit bad > 0 || NR < 10000 || accepted < 50
  }'
[ "$(wc -l <"$tmp/ours")" = "$(wc -l <"$tmp/theirs")" ]
