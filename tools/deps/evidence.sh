#!/usr/bin/env bash
# Fetches real attestation evidence and test vectors that others publish, from
# Debian, and unpacks them into the cache for tests to read.
# "--print-prefix" prints where.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$DEPS_DIR/unpack.sh"

unpack_set evidence "$@"
