#!/usr/bin/env bash
# make_eventlog.sh [OUT]: boots a UKI in QEMU (OVMF, systemd-stub, swtpm) whose /init prints the firmware's event log and
# the PCRs, and keeps them as tests/data/boot: eventlog.bin, pcrs.txt ("PCR value"), and predicted.txt (predict.py over
# that UKI). Fails when prediction and machine differ. Run by hand, after tools/deps/image.sh; about 20 seconds.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../.." && pwd)
out=$(mkdir -p "${1:-$here/boot}" && cd "${1:-$here/boot}" && pwd)
image=${CSTL_IMAGE_PREFIX:-$("$repo/tools/deps/image.sh" --print-prefix)}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

gcc -Os -static -s -o "$tmp/init" "$here/boot_init.c"
"$repo/initrd/image/mkinitramfs.sh" "$tmp/initrd" --init "$tmp/init" --kernel-prefix "$image"
"$repo/initrd/image/mkuki.sh" "$tmp/uki.efi" --initrd "$tmp/initrd" --kernel-prefix "$image"
"$repo/initrd/image/mkesp.sh" "$tmp/esp" "$tmp/uki.efi"

mkdir "$tmp/tpm"
swtpm_setup --tpm2 --tpmstate "$tmp/tpm" --pcr-banks sha256 --overwrite >/dev/null
swtpm socket --tpm2 --tpmstate "dir=$tmp/tpm" --ctrl "type=unixio,path=$tmp/sock" --terminate --daemon
cp "$image/OVMF_VARS.fd" "$tmp/vars.fd"
[[ -z ${CSTL_KEEP_UKI:-} ]] || cp "$tmp/uki.efi" "$CSTL_KEEP_UKI"
timeout 120 qemu-system-x86_64 -accel tcg,thread=multi -M q35 -cpu max,la57=off,cx16=off -m 512 -nodefaults \
  -display none -no-reboot \
  -drive "if=pflash,format=raw,unit=0,readonly=on,file=$image/OVMF_CODE.fd" \
  -drive "if=pflash,format=raw,unit=1,file=$tmp/vars.fd" \
  -drive "if=none,id=esp,format=raw,readonly=on,file=$tmp/esp" -device virtio-blk-pci,drive=esp,romfile= \
  -chardev "socket,id=c,path=$tmp/sock" -tpmdev emulator,id=t,chardev=c -device tpm-crb,tpmdev=t \
  -serial "file:$tmp/serial"

tr -d '\r' <"$tmp/serial" | sed -n '/@@begin log/,/@@end log/{/^[0-9a-f]*$/p}' | xxd -r -p >"$out/eventlog.bin"
tr -d '\r' <"$tmp/serial" | sed -n 's/^.*@@pcr\([0-9]*\) \([0-9A-F]*\)$/\1 \L\2/p' >"$out/pcrs.txt"
"$here/predict.py" "$tmp/uki.efi" >"$out/predicted.txt"
for pcr in 4 9 11 12; do
  measured=$(sed -n "s/^$pcr //p" "$out/pcrs.txt") predicted=$(sed -n "s/^pcr $pcr //p" "$out/predicted.txt")
  [[ -n $measured && $measured == "$predicted" ]] || { echo "PCR $pcr: measured $measured, predicted $predicted" >&2; exit 1; }
done
