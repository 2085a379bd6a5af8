#!/usr/bin/env bash
# test-reproducible.sh [argument of build.sh…]: builds the images twice, the second time with another
# umask, time zone, working folder and temporary folder, and compares. What
# Kubernetes itself is built to, and its container images, come from the cache
# both times.
set -euo pipefail
# shellcheck source=initrd/image/recipe.sh
. "$(dirname "${BASH_SOURCE[0]}")/recipe.sh"
scratch

"$here/build.sh" --out "$tmp/one" "$@" >"$tmp/log"
mkdir "$tmp/elsewhere"
(
  cd /
  umask 077
  export TZ=Asia/Tokyo TMPDIR=$tmp/elsewhere SOURCE_DATE_EPOCH=1234567890
  "$here/build.sh" --out "$tmp/two" "$@" >"$tmp/log"
)
failed=0
files=(initramfs.cpio.zst cstl.efi esp.img node-initramfs.cpio.zst root.img node.efi)
for file in "${files[@]}"; do
  if cmp "$tmp/one/$file" "$tmp/two/$file"; then
    printf 'ok   %s is the same\n' "$file"
  else
    printf 'FAIL %s differs\n' "$file"
    failed=$((failed + 1))
  fi
done
printf '%d passed, %d failed\n' $((${#files[@]} - failed)) "$failed"
[[ $failed == 0 ]]
