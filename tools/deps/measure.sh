#!/usr/bin/env bash
# Fetches systemd-measure from Debian with the libraries it needs, and unpacks them into the cache: what
# tests/tools/measure_test.sh compares `cstl measure` with. "--print-prefix" prints where.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$DEPS_DIR/unpack.sh"

unpack_set measure "$@"
