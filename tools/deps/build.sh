#!/usr/bin/env bash
# Builds the static libraries that cstl links, from Debian's source packages, into
# the cache. "--print-prefix" prints where; README.md says what is there.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$DEPS_DIR/recipes/archive.sh"

CONFIG=$(cd "$DEPS_DIR/../.." && pwd)/crypto/mbedtls_config.h
LIBS=(mbedtls tpm2-tss lvm2 cryptsetup zlib c-ares curl libarchive libmicrohttpd rust-aws-lc-sys)
declare -A NEEDS=([tpm2-tss]=mbedtls [cryptsetup]='mbedtls lvm2' [curl]='mbedtls c-ares' [libarchive]=zlib)

# Static libraries that bookworm ships and a prefix takes over: package and library.
HOST_LIBS=(uuid-dev:libuuid libblkid-dev:libblkid libjson-c-dev:libjson-c libseccomp-dev:libseccomp
  libyaml-dev:libyaml)

CC=${CC:-gcc}
JOBS=${JOBS:-$(nproc)}
BASE_FLAGS=(-Os -fPIE -ffunction-sections -fdata-sections -fstack-protector-strong -fstack-clash-protection
  -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
export SOURCE_DATE_EPOCH=1  # the libraries must not depend on whose build made them
export CC

lib_lines() { lock_lines lib | awk -v n="$1" '$1 == n'; }

# key LIB: names the cache entry of LIB: its pin, recipe, flags, compiler and needs.
key() {
  local n needs=() files=("$DEPS_DIR/recipes/$1.sh" "$DEPS_DIR/recipes/archive.sh")
  for n in ${NEEDS[$1]:-}; do needs+=("$(key "$n")"); done
  if [ "$1" = mbedtls ]; then files+=("$CONFIG"); fi
  for n in "$DEPS_DIR/patches/$1"-*/*.patch; do [ ! -e "$n" ] || files+=("$n"); done
  hash_of "${files[@]}" -- "$(lib_lines "$1")" "${BASE_FLAGS[*]}" "$COMPILER" "${needs[@]}"
}

# dep LIB: where LIB was installed, for the recipes.
dep() { printf '%s\n' "$CSTL_CACHE/lib/$1-$(key "$1")"; }

# fetch_lib LIB: the first line of LIB in deps.lock that can be had.
fetch_lib() {
  local name suite series version sum first=1
  while read -r name suite series version sum; do
    if fetch deb-src "$name" "$suite" "$series" "$version" "$sum"; then
      [ -n "$first" ] || say "NOTICE: $name $version is only the fallback. Not for a release"
      return
    fi
    [ -z "${CSTL_DEPS_STRICT:-}" ] || break
    first=''
  done < <(lib_lines "$1")
  die "$1: no version that deps.lock allows could be fetched (above)"
}

build_lib() {
  local lib=$1 into started=$SECONDS p
  into=$(dep "$lib")
  if [ -e "$into/used.lock" ]; then return; fi
  [ -n "${APT_HELD:-}" ] || { hold apt; APT_HELD=1; }
  fetch_lib "$lib"
  SRC=$SCRATCH/$lib OUT=$SCRATCH/$lib.out
  rm -rf -- "$SRC" "$OUT"
  mkdir -p "$SRC" "$OUT/lib" "$OUT/include"
  tar -xf "$FETCHED_FILE" -C "$SRC" --strip-components=1 --no-same-owner
  for p in "$DEPS_DIR/patches/$lib-$(upstream "$(awk '{ print $4 }' <<<"$USED")")"/*.patch; do
    [ -e "$p" ] || continue
    say "$lib: applying ${p##*/}"
    patch -d "$SRC" -p1 -s -f <"$p" || die "$lib: $p does not apply"
  done
  FLAGS=("${BASE_FLAGS[@]}" "-ffile-prefix-map=$SRC=/$lib" "-ffile-prefix-map=$CSTL_CACHE/lib=/lib")
  say "$(awk '{ print $1, $4 }' <<<"$USED"): building (log: $CSTL_CACHE/log/$lib.log)"
  mkdir -p "$CSTL_CACHE/log"
  # A subshell with errexit, which must not stand in a condition.
  local status
  set +e
  # shellcheck disable=SC1090
  (set -e; . "$DEPS_DIR/recipes/$lib.sh"; cd "$SRC"; "build_${lib//-/_}") >"$CSTL_CACHE/log/$lib.log" 2>&1 </dev/null
  status=$?
  set -e
  [ "$status" = 0 ] || {
    tail -n 25 "$CSTL_CACHE/log/$lib.log" >&2
    die "$lib did not build; the whole log is $CSTL_CACHE/log/$lib.log"
  }
  printf 'lib %s\n' "$USED" >"$OUT/used.lock"
  mkdir -p "${into%/*}"
  rm -rf -- "$into"
  mv -T -- "$OUT" "$into"
  rm -rf -- "$SRC"
  say "$lib: done in $((SECONDS - started)) s"
}

host_versions() {
  dpkg-query -W -f '${Package} ${Version}\n' "${HOST_LIBS[@]%%:*}" 2>/dev/null ||
    die "the static libraries of ${HOST_LIBS[*]%%:*} are missing: run tools/deps/install.sh"
}

COMPILER=$("$CC" -dumpfullversion -dumpversion)-$("$CC" -dumpmachine)
HOST=$(host_versions)
keys=()
for lib in "${LIBS[@]}"; do keys+=("$(key "$lib")"); done
PREFIX=$CSTL_CACHE/deps/$(hash_of -- "${keys[@]}" "$HOST")

case ${1:-} in
  --print-prefix) printf '%s\n' "$PREFIX"; exit ;;
  '') ;;
  *) die "usage: build.sh [--print-prefix]" ;;
esac

if [ -e "$PREFIX/used.lock" ]; then ready lib "$PREFIX"; exit; fi
hold deps
if [ -e "$PREFIX/used.lock" ]; then ready lib "$PREFIX"; exit; fi

scratch deps
for lib in "${LIBS[@]}"; do build_lib "$lib"; done

OUT=$SCRATCH/prefix
mkdir -p "$OUT/lib" "$OUT/include"
for lib in "${LIBS[@]}"; do
  from=$(dep "$lib")
  cp -R "$from/lib" "$from/include" "$OUT/"
  cat "$from/used.lock" >>"$OUT/used.lock.part"
done
for entry in "${HOST_LIBS[@]}"; do
  archive=$(dpkg-query -L "${entry%%:*}" | grep "/${entry##*:}\.a$") || die "${entry%%:*} has no ${entry##*:}.a"
  cp -- "$archive" "$OUT/lib/"
  printf 'host %s bookworm - %s %s\n' "${entry%%:*}" "$(dpkg-query -W -f '${Version}' "${entry%%:*}")" "$(sha256 "$archive")" >>"$OUT/used.lock.part"
done
mv -- "$OUT/used.lock.part" "$OUT/used.lock"
mkdir -p "${PREFIX%/*}"
rm -rf -- "$PREFIX"
mv -T -- "$OUT" "$PREFIX"
ready lib "$PREFIX"
