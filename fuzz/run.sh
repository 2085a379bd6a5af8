#!/usr/bin/env bash
# Runs every fuzz target for a while, from its corpus in fuzz/corpus/NAME, and holds it to its coverage floor.
#   fuzz/run.sh [--seconds N] [--floors] [TARGET…]
# A floor (fuzz/floors: NAME EDGES) is what replaying the corpus must reach: a target that bails out early looks exactly
# like a clean one. Crashing inputs are left in build/fuzz-artifacts/NAME-…; move them to fuzz/regress/NAME/.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
seconds=60
floors=no
targets=()
while [ $# -gt 0 ]; do
  case $1 in
    --seconds) seconds=$2; shift ;;
    --floors) floors=yes ;;
    *) targets+=("$1") ;;
  esac
  shift
done
if [ ${#targets[@]} -eq 0 ]; then
  for binary in build/asan/fuzz/fuzz_*; do targets+=("${binary##*/fuzz_}"); done
fi
mkdir -p build/fuzz-artifacts build/fuzz-logs

fuzz_one() {
  local name=$1 scratch edges floor log=build/fuzz-logs/$1.log
  scratch=$(mktemp -d)
  build/asan/fuzz/"fuzz_$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
    -artifact_prefix="build/fuzz-artifacts/$name-" "$scratch" "fuzz/corpus/$name" >"$log" 2>&1
  local status=$?
  rm -rf "$scratch"
  # The edges that the corpus alone reaches, as libFuzzer counts them once it has read it.
  edges=$(sed -nE 's/^#[0-9]+\tINITED +cov: ([0-9]+).*/\1/p' "$log" | head -n 1)
  if [ $status -ne 0 ]; then
    echo "FAIL $name: see $log and build/fuzz-artifacts"
    tail -n 5 "$log"
    return 1
  fi
  floor=$(sed -nE "s/^$name ([0-9]+)\$/\1/p" fuzz/floors)
  if [ "$floors" = yes ] && { [ -z "$floor" ] || [ "${edges:-0}" -lt "$floor" ]; }; then
    echo "FAIL $name: the corpus reaches ${edges:-0} edges, the floor in fuzz/floors is ${floor:-missing}"
    return 1
  fi
  echo "ok   $name: ${edges:-0} edges from the corpus (floor ${floor:-none}), $(grep -c '' "$log") lines of log"
}
export -f fuzz_one
export seconds floors
printf '%s\n' "${targets[@]}" | xargs -P "$(nproc)" -I{} bash -c 'fuzz_one {}' || exit 1
