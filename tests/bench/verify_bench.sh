#!/usr/bin/env bash
# Verification of vendors' evidence next to Google's verifiers, from Debian, on the same inputs in the same run. Both count
# CPU time, so that what else runs here matters little.
# shellcheck source=tests/differential/google.sh
. "$(dirname "$0")/../differential/google.sh"

build_both evidence_bench tests/bench/verify.go
"$build/evidence_bench" "$tmp/inputs"
"$tmp/theirs-program" "$tmp/inputs"
