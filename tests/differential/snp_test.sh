#!/usr/bin/env bash
# Our verification of SEV-SNP reports and Google's (go-sev-guest, from Debian) give the same verdicts: for the real report
# with every bit flipped, for random mutations of it and of its certificate, and for what a made-up AMD signs. Where they
# differ on purpose, tests/differential/snp/cases.cc says why, and each such case must differ.
# shellcheck source=tests/differential/google.sh
. "$(dirname "$0")/google.sh"

build_both snp_cases tests/differential/snp/verify.go
"$build/snp_cases" "$tmp/cases" "$tmp/ours"
"$tmp/theirs-program" "$tmp/cases" >"$tmp/theirs"

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
