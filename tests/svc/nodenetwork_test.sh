#!/usr/bin/env bash
# The pods' network on a real kernel: three network namespaces of one virtual machine are three nodes, with WireGuard, routes,
# packet filter and the CNI plugins of the node image. tests/svc/nodenetwork/guest.sh says what is checked.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
programs=${CSTL_PROGRAMS:-$PWD/build/release}
ninja -C "$programs" nodenetwork_guest >/dev/null
firmware=${CSTL_IMAGE_PREFIX:-$(tools/deps/image.sh --print-prefix)}
export CSTL_IMAGE_PREFIX=$firmware
plugins=$(tools/deps/root.sh --print-prefix)/usr/lib/cni
PATH=$PATH:/usr/sbin:/sbin
work=$(mktemp -d "${TMPDIR:-/tmp}/cstl-nodenetwork-XXXXXX")
qemu=''
trap '[ -z "$qemu" ] || kill -9 "$qemu" 2>/dev/null || true; rm -rf "$work"' EXIT

initrd/image/mkinitramfs.sh "$work/initramfs" --init tests/svc/nodenetwork/guest.sh --modules tests/svc/nodenetwork/modules.list \
  --file "$(command -v busybox):/bin/sh:0755" --program "$(command -v busybox)" --program "$programs/nodenetwork_guest" \
  --file "$(command -v ip):/usr/sbin/ip:0755" --file "$plugins/bridge:/usr/lib/cni/bridge:0755" \
  --file "$plugins/host-local:/usr/lib/cni/host-local:0755"
: >"$work/log"
# cx16=off and one processor: bugs of emulation (docs/images.md)
qemu-system-x86_64 -accel tcg,thread=multi -M q35 -cpu max,la57=off,cx16=off -smp 1 -m 512 -display none -monitor none -no-reboot \
  -nic none -serial "file:$work/log" -kernel "$firmware/vmlinuz" -initrd "$work/initramfs" \
  -append 'console=ttyS0 quiet panic=-1 mitigations=off nokaslr' &
qemu=$!
limit=${BOOT_SECONDS:-300}
for ((tenths = 0; tenths < limit * 10; tenths++)); do
  kill -0 "$qemu" 2>/dev/null || break
  sleep 0.1
done
tr -d '\r' <"$work/log"
grep -q '^RESULT ok' "$work/log"
