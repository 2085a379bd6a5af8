#!/usr/bin/env bash
# pick.sh SOURCE TARGET LIST [ELF…]: takes from SOURCE, a folder of unpacked Debian packages, what the file LIST names,
# and every library that it or an ELF file needs, into the folder TARGET, whose /bin, /sbin, /lib and /lib64 are links
# into /usr. An ELF is SRC:/path, a file from elsewhere.
#
# LIST has one entry a line, "#" begins a comment: a path without the leading slash, which may be a glob
# (usr/lib/cni/bridge), or "PATH -> TARGET" for a symbolic link. A file of /bin, /sbin or /lib is named as under /usr.
# Set-user-ID bits are dropped. An entry that matches nothing is an error, and so is a library that SOURCE lacks.
set -euo pipefail
# shellcheck source=initrd/image/recipe.sh
. "$(dirname "${BASH_SOURCE[0]}")/recipe.sh"

usage="pick.sh SOURCE TARGET LIST [ELF…]"
[[ $# -ge 3 ]] || die "three arguments are needed" "got $#" "$usage"
source=$1 target=$2 list=$3
shift 3
[[ -d $source ]] || die "nothing to pick from" "$source is not a folder" "unpack the packages: tools/deps/root.sh"
readable "$list" "the list of files"
need readelf binutils
shopt -s nullglob

mkdir -p "$target"/usr/{bin,sbin,lib,lib64}
for folder in bin sbin lib lib64; do
  ln -sfn "usr/$folder" "$target/$folder"
done

queue=()
# take FILE PATH: copies one file, its link followed
take() {
  local mode=0644
  [[ ! -x $1 ]] || mode=0755
  install -D -m "$mode" "$1" "$target/$2"
  queue+=("$target/$2")
}

while read -r path arrow link; do
  if [[ -n $arrow ]]; then
    [[ $arrow == '->' && -n $link ]] || die "bad line in $list" "$path $arrow $link" "write PATH or PATH -> TARGET"
    mkdir -p "$target/$(dirname "$path")"
    ln -sfn "$link" "$target/$path"
    continue
  fi
  found=''
  # shellcheck disable=SC2206  # globs are meant
  for file in "$source"/$path "$source"/${path#usr/}; do
    [[ -f $file ]] || continue
    found=1
    name=${file#"$source"/}
    case $name in usr/* | etc/*) ;; *) name=usr/$name ;; esac
    take "$file" "$name"
  done
  [[ -n $found ]] || die "nothing matches $path" "neither it nor ${path#usr/} is in $source" "correct $list, or tools/deps/deps.lock"
done < <(sed 's/#.*//; s/[[:space:]]*$//; /^$/d' "$list")
for elf in "$@"; do
  readable "${elf%%:*}" "a program"
  take "${elf%%:*}" "${elf#*:/}"
done

# libraries FILE: the interpreter and the libraries that it asks for
libraries() {
  readelf -ld "$1" 2>/dev/null | sed -nE 's/.*Shared library: \[(.*)\].*/\1/p; s/.*program interpreter: (.*)\].*/\1/p'
}
while [[ ${#queue[@]} -gt 0 ]]; do
  file=${queue[0]}
  queue=("${queue[@]:1}")
  while read -r library; do
    name=${library##*/}
    folder=usr/lib/x86_64-linux-gnu
    [[ $library != /* && $name != ld-linux-x86-64.so.2 ]] || folder=usr/lib64
    [[ ! -e $target/$folder/$name ]] || continue
    found=''
    for file in "$source"/{,usr/}{lib/x86_64-linux-gnu,lib64}/"$name"; do
      [[ -e $file ]] || continue
      found=$file
    done
    [[ -n $found ]] || die "$name is missing" "a picked file needs it, and $source has it nowhere" "add its package to tools/deps/deps.lock"
    take "$found" "$folder/$name"
  done < <(libraries "$file")
done
