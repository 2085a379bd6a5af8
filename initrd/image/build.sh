#!/usr/bin/env bash
# build.sh [--initramfs-only] [--out DIR] [--programs DIR] [--cmdline "…"]: the
# image, from the programs of the release build (build/release) into
# build/image: initramfs.cpio.zst, cstl.efi (unified kernel image), esp.img
# (disk that boots it). --cmdline adds to the kernel command line.
set -euo pipefail
# shellcheck source=initrd/image/recipe.sh
. "$(dirname "${BASH_SOURCE[0]}")/recipe.sh"

out=$repo/build/image programs=$repo/build/release cmdline='' initramfs_only=''
usage="build.sh [--initramfs-only] [--out DIR] [--programs DIR] [--cmdline \"…\"]"
while [[ $# -gt 0 ]]; do
  case $1 in
    --initramfs-only) initramfs_only=1; shift; continue ;;
    --*) [[ $# -ge 2 ]] || die "$1 needs a value" "it came last" "$usage" ;;&
    --out) out=$2 ;;
    --programs) programs=$2 ;;
    --cmdline) cmdline=$2 ;;
    *) die "unknown argument $1" "it isn't in the list" "$usage" ;;
  esac
  shift 2
done

# Not the commit's time: a commit that changes no byte of the image must not
# change its measurement.
export SOURCE_DATE_EPOCH=0

for name in init bootstrapper joinservice keyservice verificationservice; do
  readable "$programs/cstl-$name" "the program cstl-$name"
done
[[ -n ${CSTL_IMAGE_PREFIX:-} ]] || "$repo/tools/deps/image.sh"
"$here/e2fsprogs.sh"
e2fsprogs=$("$here/e2fsprogs.sh" --print-prefix)

"$here/mkinitramfs.sh" "$out/initramfs.cpio.zst" --init "$programs/cstl-init" \
  --program "$programs/cstl-bootstrapper" --program "$programs/cstl-joinservice" \
  --program "$programs/cstl-keyservice" --program "$programs/cstl-verificationservice" \
  --file "$e2fsprogs/mke2fs:/usr/sbin/mkfs.ext4:0755" --file "$e2fsprogs/e2fsck:/usr/sbin/e2fsck:0755"
made=(initramfs.cpio.zst)
if [[ -z $initramfs_only ]]; then
  "$here/mkuki.sh" "$out/cstl.efi" --initrd "$out/initramfs.cpio.zst" --cmdline "$cmdline"
  "$here/mkesp.sh" "$out/esp.img" "$out/cstl.efi"
  made+=(cstl.efi esp.img)
fi
cd "$out"
for file in "${made[@]}"; do
  printf '%-20s %9d bytes  sha256 %s\n' "$file" "$(stat -c %s "$file")" "$(sha256sum "$file" | cut -d' ' -f1)"
done
