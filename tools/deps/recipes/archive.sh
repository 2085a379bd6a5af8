# shellcheck shell=bash
# For the recipes: reproducible archives. Uses CC, FLAGS, JOBS, SRC and OUT of build.sh.

# archive NAME [FLAG...] -- SOURCE...: compiles and packs $OUT/lib/NAME.
archive() {
  local name=$1 extra=() objects=() f
  shift
  while [ "$1" != -- ]; do extra+=("$1"); shift; done
  shift
  mkdir -p "$SRC/.objects/$name"
  for f in "$@"; do objects+=(".objects/$name/$(printf '%s' "${f%.c}" | tr / _).o"); done
  # shellcheck disable=SC2016  # for the inner shell
  for f in "$@"; do printf '%s\0%s\0' "$f" ".objects/$name/$(printf '%s' "${f%.c}" | tr / _).o"; done |
    xargs -0 -n 2 -P "$JOBS" "$BASH" -c \
      'n=$(($# - 2)); exec "${@:1:n}" -c "${@:n+1:1}" -o "${@:n+2:1}"' compile \
      "$CC" "${FLAGS[@]}" "${extra[@]}"
  (cd ".objects/$name" && printf '%s\0' *.o | LC_ALL=C sort -z | xargs -0 ar rcsD "$OUT/lib/$name")
  [ "$(ar t "$OUT/lib/$name" | wc -l)" -eq ${#objects[@]} ] || die "$name: not every object is in the archive"
}

# repack ARCHIVE: the same objects, in sorted order and without dates, in $OUT/lib.
repack() {
  local dir=$SRC/.repack
  mkdir "$dir"
  (cd "$dir" && ar x "$SRC/$1" && printf '%s\0' *.o | LC_ALL=C sort -z | xargs -0 ar rcsD "$OUT/lib/${1##*/}")
  [ "$(ar t "$SRC/$1" | wc -l)" = "$(ar t "$OUT/lib/${1##*/}" | wc -l)" ] || die "$1: objects with the same name"
  rm -r "$dir"
}
