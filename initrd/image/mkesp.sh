#!/usr/bin/env bash
# mkesp.sh OUT UKI [--addon FILE]…: a disk image that firmware boots UKI from:
# a GPT whose one partition is an EFI system partition with UKI under the
# removable-media name. Made without mounting and without root; the same
# inputs give the same bytes.
set -euo pipefail
# shellcheck source=initrd/image/recipe.sh
. "$(dirname "${BASH_SOURCE[0]}")/recipe.sh"

usage="mkesp.sh OUT UKI [--addon FILE]…"
[[ $# -ge 2 ]] || die "OUT and UKI are needed" "got $# arguments" "$usage"
out=$1 uki=$2
shift 2
addons=()
while [[ $# -gt 0 ]]; do
  [[ $1 == --addon && $# -ge 2 ]] || die "cannot take $1" "only --addon FILE is known here" "$usage"
  readable "$2" "the addon"
  addons+=("$2")
  shift 2
done
readable "$uki" "the unified kernel image"
need mformat mtools
need sfdisk fdisk
scratch

mib=$((1024 * 1024))
total=$(stat -Lc %s "$uki" "${addons[@]}" | awk '{ s += $1 } END { print s }')
# FAT32 can't be smaller than 33 MiB; a quarter more than the files need.
fat=$((total * 5 / 4 / mib + 2))
[[ $fat -ge 34 ]] || fat=34

# mtools stamps what it makes with the time of day, or with this; FAT begins in 1980.
epoch=$((epoch < 315532800 ? 315532800 : epoch))
export SOURCE_DATE_EPOCH=$epoch MTOOLSRC=/dev/null MTOOLS_SKIP_CHECK=1
truncate -s "${fat}M" "$tmp/fat"
mformat -i "$tmp/fat" -F -v CSTL-ESP -N 6373746c ::
mmd -i "$tmp/fat" ::/EFI ::/EFI/BOOT
cp "$uki" "$tmp/BOOTX64.EFI"
touch -d "@$epoch" "$tmp/BOOTX64.EFI"
mcopy -m -i "$tmp/fat" "$tmp/BOOTX64.EFI" ::/EFI/BOOT/BOOTX64.EFI
if [[ ${#addons[@]} -gt 0 ]]; then
  mmd -i "$tmp/fat" ::/EFI/BOOT/BOOTX64.EFI.extra.d
  for addon in "${addons[@]}"; do
    name=$(basename "$addon" .addon.efi).addon.efi
    cp "$addon" "$tmp/$name"
    touch -d "@$epoch" "$tmp/$name"
    mcopy -m -i "$tmp/fat" "$tmp/$name" "::/EFI/BOOT/BOOTX64.EFI.extra.d/$name"
  done
fi

# 1 MiB in front, 1 MiB behind for the tables.
truncate -s "$((fat + 2))M" "$tmp/disk"
sfdisk -q "$tmp/disk" <<EOT
label: gpt
label-id: 6373746c-0000-4000-8000-000000000000
start=2048, size=$((fat * 2048)), type=c12a7328-f81f-11d2-ba4b-00a0c93ec93b, uuid=6373746c-0000-4000-8000-000000000001, name=cstl-esp
EOT
dd if="$tmp/fat" of="$tmp/disk" bs=1M seek=1 conv=notrunc,sparse status=none
publish "$tmp/disk" "$out"
