#!/usr/bin/env bash
# image.sh OUT.tar NAME:TAG BINARY [UID]: a container image FROM scratch of one static program, at /<program>, which is
# its entry point; run as UID unless the pod says otherwise.
set -euo pipefail
# shellcheck source=initrd/image/recipe.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../initrd/image/recipe.sh"

usage="image.sh OUT.tar NAME:TAG BINARY [UID]"
[[ $# -eq 3 || $# -eq 4 ]] || die "three arguments are needed" "got $#" "$usage"
out=$1 name=$2 binary=$3 user=${4:-}
readable "$binary" "the program"
need readelf binutils
! readelf -lW "$binary" 2>/dev/null | grep -q ' INTERP ' ||
  die "$binary is not static" "it asks for libraries that the image would not have" "link it statically"
scratch
program=$(basename "$binary")
install -D -m 0755 "$binary" "$tmp/rootfs/$program"
"$repo/tools/kubernetes/mkoci.sh" "$out" "$tmp/rootfs" --name "$name" --entrypoint "/$program" ${user:+--user "$user"}
