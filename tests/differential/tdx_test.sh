#!/usr/bin/env bash
# Our verification of TDX quotes and Google's (go-tdx-guest, from Debian) give the same verdicts: for Intel's production quote
# with a bit of every byte flipped, cut and shuffled, and for quotes and collateral of a made-up Intel, sound, lying, and
# mutated. Where they differ, tests/differential/tdx/cases.cc says why; we are then the stricter one, or read more.
# shellcheck source=tests/differential/google.sh
. "$(dirname "$0")/google.sh"

build_both tdx_cases tests/differential/tdx/verify.go
"$build/tdx_cases" "$tmp/cases" "$tmp/ours"
"$tmp/theirs-program" "$tmp/cases" "$tmp/theirs" >"$tmp/theirs.log" 2>&1 || { tail -n 20 "$tmp/theirs.log"; exit 1; }

# "must" differs in every case; "may" only where we refuse what they take.
paste -d '\t' "$tmp/ours" "$tmp/theirs" | awk -F '\t' '
  {
    split($1, mine, " ")
    ours = mine[1] == "ok"; theirs = $2 == "ok"; tag = mine[2]
    accepted += ours
    if (tag ~ /^must:/) good = ours != theirs
    else if (tag ~ /^may:/) good = ours == theirs || theirs
    else good = ours == theirs
    if (ours != theirs) tags[tag]++
    if (!good) { if (bad < 20) print "case " NR ": " $1 " | " $2; bad++ }
  }
  END {
    for (tag in tags) print "  " tag ": " tags[tag] " differ"
    print NR " cases, " accepted " accepted by us, " bad + 0 " unexplained differences"
    exit bad > 0 || NR < 10000 || accepted < 20
  }'
[ "$(wc -l <"$tmp/ours")" = "$(wc -l <"$tmp/theirs")" ]
