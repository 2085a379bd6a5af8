#!/usr/bin/env bash
# build.sh [--fast|--initramfs-only] [--out DIR] [--programs DIR] [--cmdline "…"]:
# the images, from the programs of the release build (build/release) into
# build/image:
#
#   initramfs.cpio.zst, cstl.efi (unified kernel image), esp.img (disk that boots
#   it)      a node without a root: all programs in the initramfs
#   node-initramfs.cpio.zst, root.img (disk), roothash, node.efi
#            a Kubernetes node: the root under dm-verity, and the UKI that names
#            its hash. Not made with --fast.
#
# --cmdline adds to the kernel command line of both.
set -euo pipefail
# shellcheck source=initrd/image/recipe.sh
. "$(dirname "${BASH_SOURCE[0]}")/recipe.sh"

out=$repo/build/image programs=$repo/build/release cmdline='' initramfs_only='' fast=''
usage="build.sh [--fast|--initramfs-only] [--out DIR] [--programs DIR] [--cmdline \"…\"]"
while [[ $# -gt 0 ]]; do
  case $1 in
    --initramfs-only) initramfs_only=1 fast=1; shift; continue ;;
    --fast) fast=1; shift; continue ;;
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

# What a node runs, in the order of its start; the last ones only in a cluster, from container images.
programs_of_line=(bootstrapper attester joinservice keyservice verificationservice)
declare -A image_set=([joinservice]=control-plane [keyservice]=control-plane [verificationservice]=node [nodenetwork]=node)
declare -A image_user=([joinservice]=901 [keyservice]=902 [verificationservice]=903 [nodenetwork]=906)

line=()
for name in init "${programs_of_line[@]}"; do
  readable "$programs/cstl-$name" "the program cstl-$name"
  [[ $name != init ]] || continue
  line+=(--program "$programs/cstl-$name")
done
[[ -n ${CSTL_IMAGE_PREFIX:-} ]] || "$repo/tools/deps/image.sh"
"$here/e2fsprogs.sh"
e2fsprogs=$("$here/e2fsprogs.sh" --print-prefix)

disk_tools=(--file "$e2fsprogs/mke2fs:/usr/sbin/mkfs.ext4:0755" --file "$e2fsprogs/e2fsck:/usr/sbin/e2fsck:0755")

"$here/mkinitramfs.sh" "$out/initramfs.cpio.zst" --init "$programs/cstl-init" "${line[@]}" "${disk_tools[@]}"
made=(initramfs.cpio.zst)
if [[ -z $initramfs_only ]]; then
  "$here/mkuki.sh" "$out/cstl.efi" --initrd "$out/initramfs.cpio.zst" --cmdline "$cmdline"
  "$here/mkesp.sh" "$out/esp.img" "$out/cstl.efi"
  made+=(cstl.efi esp.img)
fi
# node: the root of a Kubernetes node and the UKI that names its hash
node() {
  local name images=() roothash
  scratch
  for name in "${!image_set[@]}"; do
    [[ -f $programs/cstl-$name ]] || continue
    "$repo/tools/kubernetes/image.sh" "$tmp/$name.tar" "cstl.local/$name:v1" "$programs/cstl-$name" "${image_user[$name]}"
    images+=(--image "$tmp/$name.tar:${image_set[$name]}")
  done
  "$here/mkroot.sh" "$tmp/root" "${line[@]}" "${images[@]}" --policy "$programs/policy" --manifests "$repo/policy/kubernetes"
  # No UKI while the root changes: one that names another hash would not boot.
  rm -f "$out/node.efi" "$out/node.inputs"
  roothash=$("$here/mkverity.sh" "$out" "$tmp/root" --all-root)
  rm -f "$out/root.erofs" "$out/root.verity"    # root.img has both
  "$here/mkinitramfs.sh" "$out/node-initramfs.cpio.zst" --init "$programs/cstl-init" "${disk_tools[@]}"
  "$here/mkuki.sh" "$out/node.efi" --initrd "$out/node-initramfs.cpio.zst" --cmdline "$roothash${cmdline:+ $cmdline}"
}

# inputs: what node depends on, in one number; the prefixes' names stand for what is in them
inputs() {
  local prefix
  {
    find "$programs"/cstl-* "$programs/policy" "$repo/policy/kubernetes" "$here" "$repo/tools/kubernetes" -maxdepth 1 -type f \
      -exec sha256sum {} + 2>/dev/null | sed "s,$repo/,,; s,$programs/,," | sort
    for prefix in kubernetes/images deps/root deps/image; do
      "$repo/tools/$prefix.sh" --print-prefix
    done
    printf '%s\n' "$e2fsprogs" "${CSTL_IMAGE_PREFIX:-}" "$cmdline"
  } | sha256sum
}

if [[ -z $fast ]]; then
  "$repo/tools/kubernetes/images.sh"
  "$repo/tools/deps/root.sh"
  now=$(inputs)
  if [[ ! -f $out/node.efi || ! -f $out/root.img || $(cat "$out/node.inputs" 2>/dev/null) != "$now" ]]; then
    node
    printf '%s\n' "$now" >"$out/node.inputs"
  fi
  made+=(node-initramfs.cpio.zst root.img node.efi)
fi
cd "$out"
for file in "${made[@]}"; do
  printf '%-20s %9d bytes  sha256 %s\n' "$file" "$(stat -c %s "$file")" "$(sha256sum "$file" | cut -d' ' -f1)"
done
