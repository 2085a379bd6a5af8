# Sourced by what compares us with Google's verifiers: their packages and a Go toolchain, from Debian, and both programs built.
# Leaves the shell in the repository's root; $build is the build folder, $tmp one that is removed at the end.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
tools/deps/evidence.sh
tools/deps/go.sh
CSTL_EVIDENCE=$(tools/deps/evidence.sh --print-prefix)
GOROOT=$(tools/deps/go.sh --print-prefix)
export CSTL_EVIDENCE GOROOT GOPATH=$CSTL_EVIDENCE/usr/share/gocode
export GO111MODULE=off GOTOOLCHAIN=local GOFLAGS='' CGO_ENABLED=0 GOCACHE=${GOCACHE:-$PWD/build/go-cache}
build=${CSTL_BUILD:-build/release}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# build_both TARGET GO_FILE: ours is then $build/TARGET, theirs $tmp/theirs-program.
build_both() {
  ninja -C "$build" "$1" >"$tmp/build.log" 2>&1 || { cat "$tmp/build.log"; return 1; }
  "$GOROOT/bin/go" build -o "$tmp/theirs-program" "$2"
}
