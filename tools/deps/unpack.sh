# shellcheck shell=bash
# Sourced by image.sh and evidence.sh: Debian binary packages, unpacked into the
# cache and not installed. No maintainer script runs.

# unpack_set SET ARGS...: serves "--print-prefix" or makes $CSTL_CACHE/SET/<hash>.
# The caller may define finish_set, which runs in the unpacked tree.
unpack_set() {
  local set=$1 prefix name suite series version sum; shift
  prefix=$CSTL_CACHE/$set/$(hash_of "$DEPS_DIR/unpack.sh" "$DEPS_DIR/$set.sh" -- "$(lock_lines "$set")")
  case ${1:-} in
    --print-prefix) printf '%s\n' "$prefix"; return ;;
    '') ;;
    *) die "usage: $set.sh [--print-prefix]" ;;
  esac
  if [ -e "$prefix/used.lock" ]; then ready "$set" "$prefix"; return; fi
  hold "$set"
  if [ -e "$prefix/used.lock" ]; then ready "$set" "$prefix"; return; fi
  hold apt
  scratch "$set"
  while read -r name suite series version sum; do
    fetch deb "$name" "$suite" "$series" "$version" "$sum" || exit 1
    say "${FETCHED_FILE##*/}: unpacking"
    dpkg-deb -x "$FETCHED_FILE" "$SCRATCH"
    printf '%s %s\n' "$set" "$USED" >>"$SCRATCH/used.lock"
  done < <(lock_lines "$set")
  if declare -F finish_set >/dev/null; then (cd "$SCRATCH" && finish_set); fi
  mkdir -p "${prefix%/*}"
  rm -rf -- "$prefix"
  mv -T -- "$SCRATCH" "$prefix"
  ready "$set" "$prefix"
}
