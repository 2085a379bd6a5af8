# shellcheck shell=bash
# libarchive without every library but zlib: what is used of it is the reader and the writer of tar, and gzip. It never
# touches the file system here; boot/components writes what it reads.

build_libarchive() {
  local zlib off=() p
  zlib=$(dep zlib)
  for p in bz2lib libb2 iconv lz4 zstd lzma lzo2 cng mbedtls nettle openssl xml2 expat; do off+=("--without-$p"); done
  for p in acl xattr bsdtar bsdcat bsdcpio bsdunzip posix-regex-lib shared; do off+=("--disable-$p"); done
  ./configure "${off[@]}" --enable-static CC="$CC" CFLAGS="${FLAGS[*]}" CPPFLAGS="-I$zlib/include" LDFLAGS="-L$zlib/lib"
  grep -q '^#define HAVE_LIBZ 1' config.h
  make -j"$JOBS" V=1 libarchive.la
  repack .libs/libarchive.a
  cp libarchive/archive.h libarchive/archive_entry.h "$OUT/include/"
}
