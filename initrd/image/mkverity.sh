#!/usr/bin/env bash
# mkverity.sh OUTDIR ROOTFS_DIR [--all-root] [--compress ALG]: a read-only root
# under dm-verity. Makes in OUTDIR:
#
#   root.erofs   the file system
#   root.verity  the hash tree, with its superblock
#   roothash     64 hex digits and a newline
#   root.img     a disk with a GPT of both, as the Discoverable Partitions
#                Specification has it: partitions named cstl-root and
#                cstl-root-verity, whose UUIDs are the halves of the root hash
#
# and prints the kernel command line option that names it: roothash=… (put it
# into the UKI: mkuki.sh --cmdline). --all-root makes every file root's; else
# owners are kept. The same tree gives the same bytes: salt and UUIDs come from
# the content, every time stamp is one.
set -euo pipefail
# shellcheck source=initrd/image/recipe.sh
. "$(dirname "${BASH_SOURCE[0]}")/recipe.sh"
PATH=$PATH:/usr/sbin:/sbin

usage="mkverity.sh OUTDIR ROOTFS_DIR [--all-root] [--compress ALG]"
[[ $# -ge 2 ]] || die "OUTDIR and ROOTFS_DIR are needed" "got $# arguments" "$usage"
outdir=$1 root=$2
shift 2
options=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --all-root) options+=(--all-root) ;;
    --compress) [[ $# -ge 2 ]] || die "--compress needs a value" "it came last" "$usage"
                options+=("-z$2"); shift ;;
    *) die "unknown option $1" "it isn't in the list" "$usage" ;;
  esac
  shift
done
[[ -d $root ]] || die "no root to pack" "$root is not a folder" "$usage"
need mkfs.erofs erofs-utils
need veritysetup cryptsetup-bin
need sfdisk fdisk
scratch

# uuid HEX: the first 32 digits as a UUID
uuid() { sed -E 's/^(.{8})(.{4})(.{4})(.{4})(.{12}).*/\1-\2-\3-\4-\5/' <<<"$1"; }

mkfs.erofs -T "$epoch" -U 6373746c-0000-4000-8000-000000000010 "${options[@]}" "$tmp/root.erofs" "$root" >"$tmp/log" 2>&1 ||
  die "mkfs.erofs failed" "$(tail -n1 "$tmp/log")" "check that every file under $root can be read"
salt=$(sha256sum "$tmp/root.erofs" | cut -d' ' -f1)
veritysetup format --salt="$salt" --uuid="$(uuid "$salt")" --root-hash-file="$tmp/hash" \
  "$tmp/root.erofs" "$tmp/root.verity" >"$tmp/log" 2>&1 ||
  die "veritysetup failed" "$(tail -n1 "$tmp/log")" "check the space in ${TMPDIR:-/tmp}"
printf '%s\n' "$(<"$tmp/hash")" >"$tmp/roothash"
hash=$(<"$tmp/roothash")
[[ $hash =~ ^[0-9a-f]{64}$ ]] || die "no root hash" "veritysetup wrote '$hash'" "check veritysetup's version"

mib=$((1024 * 1024))
# megabytes FILE: rounded up
megabytes() { echo $((($(stat -c %s "$1") + mib - 1) / mib)); }
data=$(megabytes "$tmp/root.erofs") tree=$(megabytes "$tmp/root.verity")
truncate -s "$((data + tree + 2))M" "$tmp/root.img"
sfdisk -q "$tmp/root.img" <<EOT
label: gpt
label-id: $(uuid "$salt")
start=2048, size=$((data * 2048)), type=4f68bce3-e8cd-4db1-96e7-fbcaf984b709, uuid=$(uuid "${hash:0:32}"), name=cstl-root
size=$((tree * 2048)), type=2c7357ed-ebd2-46d9-aec1-23d437ec2bf5, uuid=$(uuid "${hash:32}"), name=cstl-root-verity
EOT
dd if="$tmp/root.erofs" of="$tmp/root.img" bs=1M seek=1 conv=notrunc,sparse status=none
dd if="$tmp/root.verity" of="$tmp/root.img" bs=1M seek=$((1 + data)) conv=notrunc,sparse status=none
for file in root.erofs root.verity root.img roothash; do
  publish "$tmp/$file" "$outdir/$file"
done
printf 'roothash=%s\n' "$hash"
