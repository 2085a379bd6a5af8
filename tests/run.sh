#!/usr/bin/env bash
# Runs the tests and counts them: every doctest case, every corpus replay, every test script is one.
#   tests/run.sh [unit|fuzz|scripts|vm]…   (default: all four)
# The last line is `N passed, N failed`; the exit code is 0 only when nothing failed. Logs: build/test-logs/.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

passed=0
failed=0
failures=()
logs=build/test-logs
mkdir -p "$logs"
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=1 UBSAN_OPTIONS=print_stacktrace=1
CSTL_EVIDENCE=$(tools/deps/evidence.sh --print-prefix)
CSTL_IMAGE=$(tools/deps/image.sh --print-prefix)
export CSTL_EVIDENCE CSTL_IMAGE

fail() {
  failed=$((failed + $1))
  failures+=("$2 (log: $3)")
  printf 'FAIL  %s\n' "$2"
}

# One test binary: doctest's own count; a binary that dies without one is a failure.
run_doctest() {
  local name log line good bad start=$SECONDS
  name=$(basename "$1")
  log=$logs/$name.log
  timeout 900 "$1" >"$log" 2>&1
  local status=$?
  line=$(sed 's/\x1b\[[0-9;]*m//g' "$log" | grep -E '^\[doctest\] test cases:' | tail -n 1)
  good=$(sed -nE 's/.*\| *([0-9]+) passed.*/\1/p' <<<"$line")
  bad=$(sed -nE 's/.*\| *([0-9]+) failed.*/\1/p' <<<"$line")
  if [ -z "$line" ] || { [ "$status" -ne 0 ] && [ "${bad:-0}" -eq 0 ]; }; then
    tail -n 20 "$log"
    fail 1 "$name ended with status $status" "$log"
    passed=$((passed + ${good:-0}))
    return
  fi
  passed=$((passed + good))
  if [ "$bad" -gt 0 ]; then
    grep -E 'ERROR|TEST CASE' "$log" | head -n 20
    fail "$bad" "$name: $bad cases" "$log"
  else
    printf 'ok    %-24s %4d cases, %d s\n' "$name" "$good" $((SECONDS - start))
  fi
}

run_script() {
  local name log start=$SECONDS
  name=$1
  log=$logs/$(tr / - <<<"${name%.sh}").log
  if timeout 1500 "$name" >"$log" 2>&1; then
    passed=$((passed + 1))
    printf 'ok    %-24s %d s\n' "$name" $((SECONDS - start))
  else
    tail -n 25 "$log"
    fail 1 "$name" "$log"
  fi
}

replay_corpora() {
  local target name log
  for target in build/asan/fuzz/fuzz_*; do
    name=${target##*/fuzz_}
    log=$logs/replay-$name.log
    local inputs=()
    [ -d "fuzz/corpus/$name" ] && inputs+=("fuzz/corpus/$name")
    [ -d "fuzz/regress/$name" ] && inputs+=("fuzz/regress/$name")
    if [ ${#inputs[@]} -gt 0 ] && "$target" -runs=0 "${inputs[@]}" >"$log" 2>&1; then
      passed=$((passed + 1))
    else
      fail 1 "replay of fuzz/corpus/$name" "$log"
    fi
  done
}

kinds=${*:-unit fuzz scripts vm}
for kind in $kinds; do
  printf -- '-- %s\n' "$kind"
  case $kind in
    unit) for binary in build/asan/tests/*_test; do run_doctest "$binary"; done ;;
    fuzz) replay_corpora ;;
    scripts) for script in tests/*_test.sh tests/svc/*_test.sh tests/tools/*_test.sh tests/differential/*_test.sh; do
      [ -e "$script" ] && run_script "$script"
    done ;;
    vm) for script in tests/e2e/demo_fast.sh tests/e2e/demo.sh tests/e2e/*_test.sh; do
      case $script in
        # make test-power, test-cluster, test-variants and test-bundle run these: they are long
        */power_test.sh | */cluster_test.sh | */variants_test.sh | */bundle_test.sh) ;;
        *) run_script "$script" ;;
      esac
    done ;;
    *) echo "tests/run.sh: unknown kind $kind" >&2; exit 2 ;;
  esac
done

for failure in "${failures[@]}"; do printf 'failed: %s\n' "$failure"; done
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
