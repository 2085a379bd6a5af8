# Sourced by the tests of cstl-init in virtual machines: an initramfs of the programs under test, machines that boot it
# directly (swtpm), and sentences that are checked. Logs of the boots: build/e2e-logs/TEST/. Ends with finish.
# shellcheck shell=bash
# shellcheck disable=SC2034  # what it sets is used by the scripts that source it
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
programs=${CSTL_PROGRAMS:-$PWD/build/release}
built=$(ninja -C "$programs" disk_guest disk_recover) || { echo "$built"; exit 1; }
firmware=${CSTL_IMAGE_PREFIX:-$(tools/deps/image.sh --print-prefix)}
export CSTL_IMAGE_PREFIX=$firmware
PATH=$PATH:/usr/sbin:/sbin
logs=$PWD/build/e2e-logs/$(basename "$0" .sh)
work=$(mktemp -d "${TMPDIR:-/tmp}/cstl-guest-XXXXXX")
qemu='' tpm='' port=$((20000 + $$ % 20000)) failures=0 count=0 limit=${BOOT_SECONDS:-180}
rm -rf "$logs"
mkdir -p "$logs"

stop() {
  local process
  for process in $qemu $tpm; do
    kill -9 "$process" 2>/dev/null || true
    while kill -0 "$process" 2>/dev/null; do sleep 0.05; done
  done
  qemu='' tpm=''
  rm -f "$work/tpm.sock"
}
trap 'stop; rm -rf "$work"' EXIT

# --- the image ------------------------------------------------------------------------------------------------------
initrd/image/e2fsprogs.sh
e2fsprogs=$(initrd/image/e2fsprogs.sh --print-prefix)
cmdline="$(sed 's/[[:space:]]*#.*//; /^$/d' initrd/image/cmdline | paste -sd' ') cstl.failure_delay=1"

# make_initramfs [OPTION of mkinitramfs.sh…]
make_initramfs() {
  initrd/image/mkinitramfs.sh "$work/initramfs" --init "$programs/cstl-init" \
    --file "$e2fsprogs/mke2fs:/usr/sbin/mkfs.ext4:0755" "$@"
}

# --- machines -------------------------------------------------------------------------------------------------------
# boot NAME DISK [no-tpm|read-only|root [OPTION]]: NAME goes into the metadata, OPTION behind the command line
boot() {
  stop
  count=$((count + 1))
  log=$logs/$(printf %02d "$count")-$1.log
  : >"$log"
  cat >"$work/metadata" <<JSON
{"cstl":"metadata/1","name":"$1","role":"worker","variant":"qemu-vtpm",
 "network":{"address":"10.0.2.15/24","gateway":"10.0.2.2","dns":["10.0.2.3"]},"join":["10.0.2.2:1"]}
JSON
  local devices=() drive="if=none,id=d,file=$2,format=raw,discard=unmap"
  [ "${3:-}" != read-only ] || drive+=,readonly=on
  if [ "${3:-}" = root ]; then
    devices=(-drive "if=none,id=r,file=${root_image:-$work/root/root.img},format=raw,readonly=on"
      -device "virtio-blk-pci,drive=r,serial=cstl-root,romfile=")
  fi
  if [ "${3:-}" != no-tpm ]; then
    mkdir -p "$work/tpm"
    swtpm socket --tpm2 --tpmstate "dir=$work/tpm" --ctrl "type=unixio,path=$work/tpm.sock" --terminate 2>/dev/null &
    tpm=$!
    disown "$tpm"
    for _ in $(seq 50); do [ -S "$work/tpm.sock" ] && break; sleep 0.1; done
    devices+=(-chardev "socket,id=c,path=$work/tpm.sock" -tpmdev "emulator,id=t,chardev=c" -device "tpm-crb,tpmdev=t")
  fi
  # cx16=off: a bug of emulation; without AVX the guest's HMAC takes plain code, which emulation runs faster
  qemu-system-x86_64 -accel tcg,thread=multi -M q35 -cpu max,la57=off,cx16=off,avx=off,avx2=off -m "${memory:-512}" \
    -display none -monitor none -no-reboot -serial "file:$log" \
    -kernel "$firmware/vmlinuz" -initrd "$work/initramfs" -append "$cmdline ${4:-}" \
    -drive "$drive" -device virtio-blk-pci,drive=d,serial=cstl-state,romfile= \
    -netdev "user,id=n,hostfwd=tcp:127.0.0.1:$port-:9999" -device virtio-net-pci,netdev=n,romfile= \
    -fw_cfg "name=opt/cstl/metadata,file=$work/metadata" "${devices[@]}" &
  qemu=$!
  disown "$qemu"
}

# until_line PATTERN: fails at the limit, or when the machine is gone without it
until_line() {
  local end=$((SECONDS + limit))
  while ! grep -Eq "$1" "$log"; do
    if [ $SECONDS -ge $end ] || ! kill -0 "$qemu" 2>/dev/null; then
      sleep 0.2
      grep -Eq "$1" "$log" && return 0
      return 1
    fi
    sleep 0.2
  done
}

until_off() {
  local end=$((SECONDS + limit))
  while kill -0 "$qemu" 2>/dev/null; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.2
  done
}

cpu() { awk '{ printf "%.1f", ($14 + $15) / 100 }' "/proc/$qemu/stat"; }

# check "sentence" command…
check() {
  local what=$1
  shift
  if "$@"; then
    printf 'ok    %s\n' "$what"
  else
    printf 'FAIL  %s (%s)\n' "$what" "$log"
    tail -n 8 "$log"
    failures=$((failures + 1))
  fi
}

recover() { "$programs/disk_recover" "127.0.0.1:$port" "$1"; }
recover_says() { [ "$(recover "$1")" = "$2" ]; }
fresh_disk() { rm -f "$1"; truncate -s "$2" "$1"; }
no_io_error() { ! grep -Eq 'I/O error|AEAD ERROR|EXT4-fs error|kernel BUG|double fault' "$log"; }

finish() {
  printf '%d failed; logs in %s/\n' "$failures" "${logs#"$PWD"/}"
  [ "$failures" -eq 0 ]
}
