#!/usr/bin/env bash
# Builds mke2fs and e2fsck, static, from Debian's source, into the cache.
# "--print-prefix" prints where. PID 1 runs them on the state disk; a static
# pair is smaller than Debian's dynamic one with its C library, and the same
# bytes on every build machine.
# shellcheck source=tools/deps/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../tools/deps/lib.sh"

# As in deps.lock: package, suite, accepted series, version, SHA-256 of the .orig tarball.
pin=(e2fsprogs bookworm 1.47 1.47.0-2 6667afde56eef0c6af26684974400e4d2288ea49e9441bf5e6229195d51a3578)

self=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/${BASH_SOURCE[0]##*/}
prefix=$CSTL_CACHE/e2fsprogs-$(hash_of "$self" -- "$(gcc -dumpfullversion)")
case ${1:-} in
  --print-prefix) printf '%s\n' "$prefix"; exit ;;
  '') ;;
  *) die "usage: e2fsprogs.sh [--print-prefix]" ;;
esac
if [ -e "$prefix/used.lock" ]; then say "e2fsprogs: ready in $prefix"; exit; fi
hold e2fsprogs
if [ -e "$prefix/used.lock" ]; then say "e2fsprogs: ready in $prefix"; exit; fi
(hold apt; fetch deb-src "${pin[@]}"; printf '%s\n%s\n' "$FETCHED_FILE" "$USED") >"$CSTL_CACHE/e2fsprogs.fetched"
{ read -r tarball; read -r used; } <"$CSTL_CACHE/e2fsprogs.fetched"
scratch e2fsprogs
mkdir "$SCRATCH/src" "$SCRATCH/out"
tar -xf "$tarball" -C "$SCRATCH/src" --strip-components=1
say "e2fsprogs: building (40 s)"
(
  cd "$SCRATCH/src"
  export SOURCE_DATE_EPOCH=1 CC=gcc
  export CFLAGS="-Os -ffunction-sections -fdata-sections -fstack-protector-strong -fstack-clash-protection -D_FORTIFY_SOURCE=2 -ffile-prefix-map=$SCRATCH/src=."
  export LDFLAGS='-static -s -Wl,--gc-sections,--build-id=none'
  ./configure -q --prefix=/usr --sysconfdir=/etc --disable-nls --disable-debugfs --disable-imager --disable-resizer \
    --disable-defrag --disable-fsck --disable-uuidd --disable-tdb --disable-fuse2fs --without-libarchive --with-pthread=no
  make -s -j2 libs
  make -s -C misc mke2fs
  make -s -C e2fsck e2fsck
) >"$SCRATCH/log" 2>&1 || { tail -n 20 "$SCRATCH/log" >&2; die "e2fsprogs: the build failed (above)"; }
install -m 0755 "$SCRATCH/src/misc/mke2fs" "$SCRATCH/src/e2fsck/e2fsck" "$SCRATCH/out/"
printf '%s\n' "$used" >"$SCRATCH/out/used.lock"
rm -rf -- "$prefix"
mv -T -- "$SCRATCH/out" "$prefix"
say "e2fsprogs: ready in $prefix"
