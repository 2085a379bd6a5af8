#!/usr/bin/env bash
# mkinitramfs.sh OUT --init PROGRAM [option…]: the initramfs of a node.
#
#   --init PROGRAM            becomes /init
#   --program FILE            becomes /usr/bin/<its name>; repeatable
#   --file SRC:DST[:MODE]     any other file, mode 0644 unless said; repeatable
#   --platform NAME           modules for a platform (the @names in modules.list);
#                             repeatable; default: snp tdx
#   --modules LIST            another list than modules.list
#   --kernel-prefix DIR       default: where tools/deps/image.sh put the kernel
#
# The same inputs give the same bytes, whoever builds and wherever: sorted
# names, owner 0, one timestamp, inode numbers counted from 1, one zstd thread.
# No root is needed. Shared libraries of a dynamic program come along, taken
# from this machine: ship static programs.
#
# Inside: /etc/cstl/modules lists the modules as absolute paths in load order,
# one per line. They are stored plain (zstd over all is smaller than xz within
# zstd) and byte for byte as signed.
set -euo pipefail
# shellcheck source=initrd/image/recipe.sh
. "$(dirname "${BASH_SOURCE[0]}")/recipe.sh"

out='' init='' given_prefix='' list=$here/modules.list
programs=() files=() platforms=()
usage="mkinitramfs.sh OUT --init PROGRAM; the head of this script lists the options"
while [[ $# -gt 0 ]]; do
  case $1 in
    --*) [[ $# -ge 2 ]] || die "$1 needs a value" "it came last" "$usage" ;;&
    --init) init=$2; shift ;;
    --program) programs+=("$2"); shift ;;
    --file) files+=("$2"); shift ;;
    --platform) platforms+=("$2"); shift ;;
    --modules) list=$2; shift ;;
    --kernel-prefix) given_prefix=$2; shift ;;
    -*) die "unknown option $1" "it isn't in the list" "$usage" ;;
    *) [[ -z $out ]] || die "one OUT only" "got $out and $1" "$usage"
       out=$1 ;;
  esac
  shift
done
[[ -n $out && -n $init ]] || die "OUT and --init are needed" "one is missing" "$usage"
[[ ${#platforms[@]} -gt 0 ]] || platforms=(snp tdx)
need bsdtar libarchive-tools
need xz xz-utils
need zstd zstd
find_prefix "$given_prefix"
scratch

# The archive is described first, as an mtree, and written in one go at the end.
declare -A folders=() seen=()
spec=$tmp/spec

# parents PATH: every folder above it
parents() {
  local i
  for ((i = 1; i < ${#1}; i++)); do
    [[ ${1:i:1} != / ]] || folders[${1:0:i}]=1
  done
}

# entry DST FIELDS
entry() {
  local dst=$1
  [[ $dst =~ ^/[A-Za-z0-9._/+-]+$ && $dst != *//* && $dst != *..* && $dst != */ ]] ||
    die "bad path in the initramfs: $dst" "only absolute paths of letters, digits and ._+- are taken" "correct --file"
  [[ -z ${seen[$dst]:-} ]] ||
    die "$dst is given twice" "two files want the same place" "remove one"
  seen[$dst]=1
  parents "$dst"
  printf '.%s %s\n' "$dst" "$2" >>"$spec"
}

# put SRC DST MODE: a file, and the libraries it asks for
put() {
  local src line
  readable "$1" "a file for the initramfs"
  src=$(realpath "$1")
  [[ $src != *[[:space:]\\]* ]] ||
    die "cannot take $src" "its path has a space or backslash, which the mtree format can't hold" "build in another folder"
  entry "$2" "type=file mode=$3 contents=$src"
  [[ $(head -c 4 "$src" | od -An -tx1) == ' 7f 45 4c 46' ]] || return 0
  ldd "$src" >"$tmp/ldd" 2>/dev/null || return 0              # static
  ! grep -q 'not found' "$tmp/ldd" ||
    die "$src cannot run in the initramfs" "$(grep 'not found' "$tmp/ldd")" "link it statically or install the library"
  while read -r line; do
    [[ -n ${seen[$line]:-} ]] || put "$line" "$line" 0755
  done < <(grep -oE '/[^ ]+ \(0x' "$tmp/ldd" | sed 's/ (0x//')
}

put "$init" /init 0755
for program in "${programs[@]}"; do
  put "$program" "/usr/bin/${program##*/}" 0755
done
for file in "${files[@]}"; do
  IFS=: read -r src dst mode <<<"$file"
  [[ -n $dst && ${mode:=0644} =~ ^0?[0-7]{3}$ ]] ||
    die "bad --file $file" "it isn't SRC:DST or SRC:DST:MODE" "$usage"
  put "$src" "$dst" "$mode"
done

"$here/closure.sh" "$prefix/modules" "$release" "$list" "${platforms[@]}" >"$tmp/closure"
mkdir "$tmp/ko"
number=0
while read -r module; do
  name=${module%%.ko*}.ko
  number=$((number + 1))
  case $module in
    *.ko.xz) xz -dc "$prefix/modules/$module" ;;
    *.ko.zst) zstd -qdc "$prefix/modules/$module" ;;
    *.ko.gz) gzip -dc "$prefix/modules/$module" ;;
    *) cat "$prefix/modules/$module" ;;
  esac >"$tmp/ko/$number"
  put "$tmp/ko/$number" "/usr/lib/modules/$release/$name" 0644
  printf '/usr/lib/modules/%s/%s\n' "$release" "$name" >>"$tmp/modules"
done <"$tmp/closure"
put "$tmp/modules" /etc/cstl/modules 0644

# The kernel opens /dev/console before anything can mount devtmpfs over it.
entry /dev/console 'type=char mode=0600 device=native,5,1'
entry /dev/null 'type=char mode=0666 device=native,1,3'
for dir in dev proc sys run tmp root sysroot var/lib usr/bin usr/sbin; do
  parents "/$dir/"
done
for dir in "${!folders[@]}"; do
  printf '.%s type=dir mode=0755\n' "$dir" >>"$spec"
done

# bsdtar copies inode numbers from this machine's disk into a cpio archive; by
# way of tar, which has none, it counts them. It also looks for each path in the
# current folder, which therefore is an empty one.
{
  printf '#mtree\n/set uid=0 gid=0 time=%s.0 nlink=1\n' "$epoch"
  sort "$spec"
} >"$tmp/mtree"
mkdir "$tmp/empty"
bsdtar --format=ustar -C "$tmp/empty" -cf "$tmp/tar" "@$tmp/mtree"
bsdtar --format=newc -cf "$tmp/cpio" "@$tmp/tar"
zstd -q -19 --single-thread --no-progress "$tmp/cpio" -o "$tmp/zst"
publish "$tmp/zst" "$out"
