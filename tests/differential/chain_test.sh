#!/usr/bin/env bash
# Our walk along a chain of certificates (crypto/chain.cc), mbedTLS's own and Go's crypto/x509 give the same verdicts: for
# thousands of made-up chains with anything wrong, and for AMD's and NIST's with bytes changed. Where they differ,
# tests/differential/chain/cases.cc says why.
#   tests/differential/chain_test.sh [count]
# shellcheck source=tests/differential/google.sh
. "$(dirname "$0")/google.sh"
count=${1:-16000}
seed=20261121

build_both chain_cases tests/differential/chain/verify.go
"$build/chain_cases" make "$seed" "$count" "$tmp/ours" | "$tmp/theirs-program" >"$tmp/theirs"
"$build/chain_cases" compare "$tmp/ours" "$tmp/theirs"
