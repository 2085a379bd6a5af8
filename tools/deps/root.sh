#!/usr/bin/env bash
# Fetches the Debian packages that a node's root is made from (initrd/image/mkroot.sh) and unpacks them into the cache.
# "--print-prefix" prints where.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$DEPS_DIR/unpack.sh"

unpack_set root "$@"
