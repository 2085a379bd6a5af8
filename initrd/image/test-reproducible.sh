#!/usr/bin/env bash
# test-reproducible.sh: builds the image twice, the second time with another
# umask, time zone, working folder and temporary folder, and compares.
set -euo pipefail
# shellcheck source=initrd/image/recipe.sh
. "$(dirname "${BASH_SOURCE[0]}")/recipe.sh"
scratch

"$here/build.sh" --out "$tmp/one" >"$tmp/log"
mkdir "$tmp/elsewhere"
(
  cd /
  umask 077
  export TZ=Asia/Tokyo TMPDIR=$tmp/elsewhere SOURCE_DATE_EPOCH=1234567890
  "$here/build.sh" --out "$tmp/two" >"$tmp/log"
)
failed=0
for file in initramfs.cpio.zst cstl.efi esp.img; do
  if cmp "$tmp/one/$file" "$tmp/two/$file"; then
    printf 'ok   %s is the same\n' "$file"
  else
    printf 'FAIL %s differs\n' "$file"
    failed=$((failed + 1))
  fi
done
printf '%d passed, %d failed\n' $((3 - failed)) "$failed"
[[ $failed == 0 ]]
