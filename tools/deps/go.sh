#!/usr/bin/env bash
# Fetches a Go toolchain from Debian and unpacks it into the cache, for the differential tests and the benchmark.
# "--print-prefix" prints where: a GOROOT. The packages are in what evidence.sh makes, so a program is built with
#   GOROOT=$(tools/deps/go.sh --print-prefix) GO111MODULE=off GOTOOLCHAIN=local CGO_ENABLED=0
#   GOPATH=$(tools/deps/evidence.sh --print-prefix)/usr/share/gocode GOCACHE=<a folder> $GOROOT/bin/go build -o X x.go
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$DEPS_DIR/unpack.sh"

# Debian splits a GOROOT over lib and share, joined by links.
finish_set() {
  local lib share
  lib=(usr/lib/go-*) share=(usr/share/go-*)
  [ "${#lib[@]}:${#share[@]}" = 1:1 ] || die "go: expected one toolchain"
  cp -a -- "${share[0]}/src" "${share[0]}/lib" "${lib[0]}/bin" "${lib[0]}/pkg" "${lib[0]}/VERSION" "${lib[0]}/go.env" .
  rm -- pkg/include
  cp -a -- "${share[0]}/pkg/include" pkg/include
  rm -r -- usr
}

unpack_set go "$@"
