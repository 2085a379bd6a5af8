#!/usr/bin/env bash
# boot.sh DISK [option…]: boots a disk image (esp.img, or a builder's whole
# disk) in QEMU with UEFI firmware and a fresh TPM, and prints the console,
# each line with the seconds since QEMU's start.
#
#   --expect REGEX     end with 0 as soon as a line matches, with 1 if none did
#   --seconds N        give up after N seconds (default 120)
#   --metadata FILE    instance metadata (fw_cfg opt/cstl/metadata)
#   --root FILE        a second disk with the partitions cstl-root and cstl-root-verity
#   --state FILE       the state disk; default: a blank one of 4 GiB that goes away
#   --memory MIB       default 1024; a Kubernetes control plane wants 2048
#   --accel kvm        with KVM instead of emulation
#   --kernel-prefix DIR
#
# This is a look at an image, not a cluster: `cstl mini` makes those.
set -euo pipefail
# shellcheck source=initrd/image/recipe.sh
. "$(dirname "${BASH_SOURCE[0]}")/recipe.sh"

usage="boot.sh DISK [option…]; the head of this script lists the options"
disk='' expect='' seconds=120 metadata='' root='' state='' accel=tcg memory=1024 given_prefix=''
while [[ $# -gt 0 ]]; do
  case $1 in
    --*) [[ $# -ge 2 ]] || die "$1 needs a value" "it came last" "$usage" ;;&
    --expect) expect=$2; shift ;;
    --seconds) seconds=$2; shift ;;
    --metadata) metadata=$2; shift ;;
    --root) root=$2; shift ;;
    --state) state=$2; shift ;;
    --memory) memory=$2; shift ;;
    --accel) accel=$2; shift ;;
    --kernel-prefix) given_prefix=$2; shift ;;
    -*) die "unknown option $1" "it isn't in the list" "$usage" ;;
    *) [[ -z $disk ]] || die "one DISK only" "got $disk and $1" "$usage"
       disk=$1 ;;
  esac
  shift
done
readable "${disk:-}" "the disk image"
need qemu-system-x86_64 qemu-system-x86
need swtpm swtpm
need swtpm_setup swtpm-tools
find_prefix "$given_prefix"
scratch

swtpm_pid='' qemu_pid=''
trap 'kill $qemu_pid $swtpm_pid 2>/dev/null || true; rm -rf "$tmp"' EXIT
cp "$prefix/OVMF_VARS.fd" "$tmp/vars.fd"
[[ -n $state ]] || { state=$tmp/state.img; truncate -s 4G "$state"; }
mkdir "$tmp/tpm"
swtpm_setup --tpm2 --tpmstate "$tmp/tpm" --create-ek-cert --create-platform-cert --lock-nvram \
  --pcr-banks sha256 >"$tmp/tpm.log" 2>&1 ||
  die "no TPM" "swtpm_setup: $(tail -n1 "$tmp/tpm.log")" "check the installation of swtpm-tools"
swtpm socket --tpm2 --tpmstate "dir=$tmp/tpm" --ctrl "type=unixio,path=$tmp/tpm.sock" --terminate >"$tmp/swtpm.log" 2>&1 &
swtpm_pid=$!
for _ in {1..100}; do [[ -S $tmp/tpm.sock ]] && break; sleep 0.05; done

# cx16=off: emulated, cmpxchg16b leaves garbage in EFLAGS (QEMU 7.2), and about
# one boot in ten ends in a double fault. la57=off: shorter page walks.
cpu=(-accel "tcg,thread=multi" -cpu "max,la57=off,cx16=off,avx=off,avx2=off")
[[ $accel != kvm ]] || cpu=(-accel kvm -cpu host)
args=(-nodefaults -no-user-config -display none -no-reboot -M "q35,smm=off" "${cpu[@]}" -smp 1 -m "$memory"
  -drive "if=pflash,format=raw,unit=0,readonly=on,file=$prefix/OVMF_CODE.fd"
  -drive "if=pflash,format=raw,unit=1,file=$tmp/vars.fd"
  -chardev "socket,id=tpm,path=$tmp/tpm.sock" -tpmdev "emulator,id=tpm0,chardev=tpm" -device "tpm-crb,tpmdev=tpm0"
  -drive "if=none,id=boot,format=raw,readonly=on,file=$disk" -device "virtio-blk-pci,drive=boot,bootindex=0"
  -drive "if=none,id=state,format=raw,cache=unsafe,file=$state" -device "virtio-blk-pci,drive=state,serial=cstl-state"
  -netdev "user,id=n0" -device "virtio-net-pci,netdev=n0,romfile="
  -chardev "file,id=console,path=$tmp/console" -serial "chardev:console")
[[ -z $root ]] || args+=(-drive "if=none,id=root,format=raw,readonly=on,file=$root" -device "virtio-blk-pci,drive=root")
[[ -z $metadata ]] || args+=(-fw_cfg "name=opt/cstl/metadata,file=$metadata")

: >"$tmp/console"
start=$EPOCHREALTIME
qemu-system-x86_64 "${args[@]}" </dev/null 2>"$tmp/qemu.log" &
qemu_pid=$!
# elapsed: tenths of seconds since the start
elapsed() { local now=$EPOCHREALTIME; echo $(((${now/./} - ${start/./}) / 100000)); }
found='' line=''
exec {console}<"$tmp/console"
while true; do
  alive=1
  kill -0 "$qemu_pid" 2>/dev/null || alive=''
  while IFS= read -r part <&"$console" || { line+=$part; false; }; do
    line+=$part
    line=$(tr -cd '[:print:]' <<<"$line")
    t=$(elapsed)
    printf '%3d.%d  %s\n' $((t / 10)) $((t % 10)) "$line"
    [[ -z $expect || ! $line =~ $expect ]] || { found=1; break; }
    line=''
  done
  [[ -z $found && -n $alive && $(elapsed) -lt $((seconds * 10)) ]] || break
  sleep 0.1
done
[[ $(elapsed) -gt 10 ]] || cat "$tmp/qemu.log" >&2      # it did not even start
[[ -z $expect || -n $found ]] ||
  die "the image did not say what it should" "no line matched '$expect' in $(($(elapsed) / 10)) s" "read the console above"
