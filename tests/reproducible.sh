#!/usr/bin/env bash
# Builds the programs and the image a second time, in a copy of the sources at another path, and compares the bytes.
set -euo pipefail
cd "$(dirname "$0")/.."
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$copy"
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH CCACHE_DISABLE=1
make all image >/dev/null
make -C "$copy" all image >"$copy/log" 2>&1 || { tail -n 20 "$copy/log"; exit 1; }
different=0
for file in build/release/cstl build/release/cstl-* build/image/initramfs.cpio.zst build/image/cstl.efi build/image/esp.img \
  build/image/root.img build/image/node.efi; do
  if cmp -s "$file" "$copy/$file"; then
    echo "identical  $(sha256sum "$file")"
  else
    echo "DIFFERENT  $file"
    different=1
  fi
done
exit $different
