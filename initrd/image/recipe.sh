# shellcheck shell=bash
# shellcheck disable=SC2034  # what it sets is used by the scripts that source it
# What the image scripts of this folder share: errors, the kernel's place, the
# one timestamp. Sourced, never run.

export LC_ALL=C TZ=UTC
umask 022

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../.." && pwd)

# Every timestamp in every artefact. Zero unless the caller pins another.
epoch=${SOURCE_DATE_EPOCH:-0}

# die WHAT WHY NEXT: the three things a person needs to go on.
die() {
  printf '%s: %s\n  why:  %s\n  next: %s\n' "${0##*/}" "$1" "$2" "$3" >&2
  exit 1
}

# need PROGRAM PACKAGE
need() {
  command -v "$1" >/dev/null ||
    die "the program $1 is missing" "it isn't on PATH" "install the Debian package $2"
}

# readable FILE WHAT
readable() {
  [[ -f $1 && -r $1 ]] ||
    die "cannot read $2" "$1 is not a readable file" "build or fetch it first"
}

# scratch: makes $tmp, a folder that goes away with the script. Artefacts are
# made there and moved into place when complete.
scratch() {
  tmp=$(mktemp -d "${TMPDIR:-/tmp}/cstl-image.XXXXXXXX")
  trap 'rm -rf "$tmp"' EXIT
}

# publish FILE OUT: complete or not at all, also across file systems.
publish() {
  mkdir -p "$(dirname "$2")"
  cp --sparse=always "$1" "$2.part.$$"
  chmod 0644 "$2.part.$$"
  mv -f "$2.part.$$" "$2"
}

# find_prefix [DIR]: sets $prefix, where tools/deps/image.sh put kernel, EFI
# stub, ukify and firmware (it lists the names), and $release, the kernel's.
find_prefix() {
  prefix=${1:-${CSTL_IMAGE_PREFIX:-}}
  [[ -n $prefix ]] || prefix=$("$repo/tools/deps/image.sh" --print-prefix) ||
    die "no kernel to build from" "tools/deps/image.sh --print-prefix failed" "see its message, or give --kernel-prefix DIR"
  [[ -r $prefix/kernel-release && -r $prefix/vmlinuz && -d $prefix/modules/kernel ]] ||
    die "no kernel to build from" "$prefix lacks kernel-release, vmlinuz or modules" "run tools/deps/image.sh"
  release=$(<"$prefix/kernel-release")
}
