#!/usr/bin/env bash
# Fetches Prometheus and promtool from Debian and unpacks them into the cache: what tests/svc/metrics_test.sh scrapes with.
# Not installed, because the package starts a server on this machine. "--print-prefix" prints where.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$DEPS_DIR/unpack.sh"

unpack_set prometheus "$@"
