#!/usr/bin/env bash
# test-builders.sh [dracut] [mkosi]: proves the recipes for image builders: with
# Debian's dracut and with mkosi of Debian 13, builds an image as their users
# would and boots it in QEMU until PID 1 has found the state disk; mkosi's also
# has to open its root under dm-verity. Takes minutes, needs root (mkosi) and a
# Debian mirror; not part of `make test`.
#
# Programs come from build/release (make), kernel and firmware from
# tools/deps/image.sh, the initramfs from `make initramfs`.
set -euo pipefail
# shellcheck source=initrd/image/recipe.sh
. "$(dirname "${BASH_SOURCE[0]}")/recipe.sh"
PATH=$PATH:/usr/sbin:/sbin

programs=${CSTL_PROGRAMS:-$repo/build/release}
passed=0 failed=0
find_prefix ''
scratch
[[ $# -gt 0 ]] || set -- dracut mkosi
readable "$programs/cstl-init" "the program cstl-init"

printf '%s' '{"cstl":"metadata/1","name":"node-0","role":"worker","variant":"qemu-vtpm",' \
  '"network":{"address":"10.0.2.15/24","gateway":"10.0.2.2"}}' >"$tmp/metadata"

# prove NAME DISK LINE: boots DISK until PID 1 says LINE, and counts
prove() {
  if "$here/boot.sh" "$2" --kernel-prefix "$prefix" --metadata "$tmp/metadata" --expect "cstl-init: info $3" \
    --seconds 300 >"$tmp/$1.console"; then
    printf 'ok   %s: %s\n' "$1" "$(tail -n1 "$tmp/$1.console")"
    passed=$((passed + 1))
  else
    cat "$tmp/$1.console"
    printf 'FAIL %s\n' "$1"
    failed=$((failed + 1))
  fi
}

try_dracut() {
  need dracut dracut-core
  local base=$tmp/dracut root=$tmp/dracut-root
  # dracut wants a kernel's modules with modules.dep, and its modules in one folder.
  mkdir -p "$root/lib/modules" "$base/modules.d"
  cp -r "$prefix/modules/" "$root/lib/modules/$release"
  depmod -b "$root" "$release"
  ln -s /usr/lib/dracut/[!m]* "$base/"
  ln -s /usr/lib/dracut/modules.d/* "$base/modules.d/"
  rm -f "$base/modules.d/90cstl"
  cp -rL "$here/dracut/90cstl" "$base/modules.d/"
  dracutbasedir=$base cstl_programs=$programs dracut --quiet --force --modules cstl --no-hostonly --nostrip \
    --no-early-microcode --reproducible --zstd --kver "$release" --kmoddir "$root/lib/modules/$release" "$tmp/dracut.img"
  "$here/mkuki.sh" "$tmp/dracut.efi" --initrd "$tmp/dracut.img"
  "$here/mkesp.sh" "$tmp/dracut-esp.img" "$tmp/dracut.efi"
  prove dracut "$tmp/dracut-esp.img" disk.found
}

# The URI of this machine's Debian mirror, as the dependencies use it
mirror() { bash -c '. "$1" && mirror' mirror "$repo/tools/deps/lib.sh" | cut -d' ' -f1; }

# A Debian 13 to run mkosi in, kept in the cache.
mkosi_root() {
  local cache=${CSTL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/cstl}
  tools=$cache/mkosi-trixie
  [[ -d $tools/usr ]] && return
  need mmdebstrap mmdebstrap
  mkdir -p "$cache"
  rm -rf "$tools.part"
  mmdebstrap --quiet --variant=apt --include=mkosi,systemd-repart,systemd-ukify,erofs-utils,cryptsetup-bin,dosfstools,mtools,zstd,cpio,kmod,python3-pefile,e2fsprogs,xz-utils \
    trixie "$tools.part" "$(mirror)" >"$tmp/mmdebstrap.log" 2>&1 ||
    die "no Debian 13 to run mkosi in" "mmdebstrap: $(tail -n1 "$tmp/mmdebstrap.log")" "check the mirror and that you are root"
  mv -T "$tools.part" "$tools"
}

try_mkosi() {
  local work=$tmp/mkosi
  [[ $EUID == 0 ]] || die "mkosi cannot run" "mounting its Debian 13 needs root" "run as root, or test dracut alone"
  readable "$repo/build/image/initramfs.cpio.zst" "the initramfs (make initramfs)"
  mkosi_root
  cp -r "$here/mkosi" "$work"
  cp "$repo/build/image/initramfs.cpio.zst" "$work/"
  mkdir -p "$work"/pinned/{boot,usr/lib/systemd/boot,usr/lib/modules}
  cp "$prefix/boot/vmlinuz-$release" "$work/pinned/boot/"
  cp -r "$prefix/usr/lib/modules/$release" "$work/pinned/usr/lib/modules/"
  cp -r "$prefix/usr/lib/systemd/boot/efi" "$work/pinned/usr/lib/systemd/boot/"
  # This machine's mirror may lack what mkosi would ask for (debug symbols, security).
  mkdir -p "$work/mkosi.sandbox/etc/apt/sources.list.d"
  printf 'Types: deb\nURIs: %s\nSuites: trixie\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n' \
    "$(mirror)" >"$work/mkosi.sandbox/etc/apt/sources.list.d/mkosi.sources"
  # shellcheck disable=SC2016  # for the inner shell
  unshare --mount --propagation private bash -euc '
    root=$1 work=$2
    mount --bind "$root" "$root"
    mkdir -p "$root/work" "$root/.old"
    mount --bind "$work" "$root/work"
    mount -t proc proc "$root/proc"
    mount --rbind /sys "$root/sys"
    mount --rbind /dev "$root/dev"
    for dir in run tmp var/tmp; do mount -t tmpfs tmpfs "$root/$dir"; done
    cat /etc/resolv.conf >"$root/etc/resolv.conf"
    cd "$root"
    pivot_root . .old
    umount -l /.old
    cd /work
    exec env -i HOME=/root TERM=dumb PATH=/usr/sbin:/usr/bin:/sbin:/bin mkosi --force build
  ' in-mkosi-root "$tools" "$work" >"$tmp/mkosi.log" 2>&1 ||
    die "mkosi failed" "$(tr '\r' '\n' <"$tmp/mkosi.log" | tail -n3)" "correct initrd/image/mkosi"
  prove mkosi "$work/mkosi.output/node.raw" root.mounted
}

for builder in "$@"; do
  case $builder in
    dracut | mkosi) "try_$builder" ;;
    *) die "unknown builder $builder" "dracut and mkosi are known" "test-builders.sh [dracut] [mkosi]" ;;
  esac
done
printf '%d passed, %d failed\n' "$passed" "$failed"
[[ $failed == 0 ]]
