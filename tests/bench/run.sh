#!/usr/bin/env bash
# Benchmarks: every bench_* program of the release build, then every tests/bench/*_bench.sh. Numbers depend on the machine
# and on what else runs on it; nothing here passes or fails by them.
set -euo pipefail
cd "$(dirname "$0")/../.."
ninja -C build/release bench_atls >/dev/null
for bench in build/release/bench_*; do "$bench"; done
for bench in tests/bench/*_bench.sh; do
  if [ -e "$bench" ]; then "$bench"; fi
done
