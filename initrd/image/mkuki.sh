#!/usr/bin/env bash
# mkuki.sh OUT --initrd FILE [option…]: a unified kernel image; and
# mkuki.sh OUT --addon --cmdline "…": an addon to one.
#
#   --initrd FILE         the initramfs
#   --cmdline "…"         put after the default of the file cmdline, e.g.
#                         "roothash=… cstl.…"; the whole of an addon's
#   --only-cmdline "…"    instead of the default
#   --kernel FILE         with --uname RELEASE: another kernel than the prefix's
#   --os-release FILE     default: the file os-release
#   --kernel-prefix DIR   default: where tools/deps/image.sh put kernel and stub
#
# An addon is measured into PCR 12; it is put next to the image on the ESP
# (mkesp.sh --addon). The same inputs give the same bytes.
set -euo pipefail
# shellcheck source=initrd/image/recipe.sh
. "$(dirname "${BASH_SOURCE[0]}")/recipe.sh"

out='' initrd='' more='' only='' kernel='' uname='' osrelease=$here/os-release given_prefix='' addon=''
usage="mkuki.sh OUT --initrd FILE; the head of this script lists the options"
while [[ $# -gt 0 ]]; do
  case $1 in
    --addon) addon=1; shift; continue ;;
    --*) [[ $# -ge 2 ]] || die "$1 needs a value" "it came last" "$usage" ;;&
    --initrd) initrd=$2; shift ;;
    --cmdline) more=$2; shift ;;
    --only-cmdline) only=$2; shift ;;
    --kernel) kernel=$2; shift ;;
    --uname) uname=$2; shift ;;
    --os-release) osrelease=$2; shift ;;
    --kernel-prefix) given_prefix=$2; shift ;;
    -*) die "unknown option $1" "it isn't in the list" "$usage" ;;
    *) [[ -z $out ]] || die "one OUT only" "got $out and $1" "$usage"
       out=$1 ;;
  esac
  shift
done
[[ -n $out ]] || die "OUT is needed" "no file was named" "$usage"
find_prefix "$given_prefix"
for file in ukify stub.efi addon.efi; do
  readable "$prefix/$file" "$file"
done
/usr/bin/python3 -c 'import pefile' 2>/dev/null ||
  die "ukify cannot run" "/usr/bin/python3 has no module pefile" "install the Debian package python3-pefile"
scratch

if [[ -n $addon ]]; then
  [[ -n $more && -z $initrd$only ]] ||
    die "an addon is a command line" "--addon takes --cmdline and nothing else" "$usage"
  printf '%s' "$more" >"$tmp/cmdline"
  sections=(--cmdline="@$tmp/cmdline" --stub="$prefix/addon.efi")
else
  readable "$initrd" "the initramfs (--initrd)"
  readable "$osrelease" "os-release"
  [[ -n $kernel ]] || kernel=$prefix/vmlinuz uname=$release
  [[ -n $uname ]] || die "which release is $kernel?" "--kernel comes with --uname" "$usage"
  readable "$kernel" "the kernel"
  [[ -n $only ]] || only=$(sed 's/[[:space:]]*#.*//; /^$/d' "$here/cmdline" | paste -sd' ')${more:+ $more}
  printf '%s' "$only" >"$tmp/cmdline"
  sections=(--linux="$kernel" --initrd="$initrd" --cmdline="@$tmp/cmdline"
    --os-release="@$osrelease" --uname="$uname" --stub="$prefix/stub.efi")
fi
# -I and an empty configuration: nothing of this machine's gets in.
if ! SOURCE_DATE_EPOCH=$epoch /usr/bin/python3 -I "$prefix/ukify" build --config=/dev/null "${sections[@]}" \
  --output="$tmp/uki" >"$tmp/log" 2>&1; then
  cat "$tmp/log" >&2
  die "ukify failed" "see its output above" "check the inputs"
fi
publish "$tmp/uki" "$out"
