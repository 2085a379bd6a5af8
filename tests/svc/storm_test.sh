#!/usr/bin/env bash
# The join storm, shortened: 40 nodes, then 40 with hostile ones among them. make test-storm runs the full one.
set -euo pipefail
cd "$(dirname "$0")/../.."
ninja -C build/release bench_storm cstl-attester cstl-joinservice cstl-keyservice >/dev/null
build/release/bench_storm --nodes "${STORM_NODES:-40}" --rounds "${STORM_ROUNDS:-1}" --hostile "${STORM_HOSTILE:-20}"
