# shellcheck shell=bash
# For libarchive's gzip filter. Without gzopen() and its files.

build_zlib() {
  archive libz.a -O2 -D_LARGEFILE64_SOURCE=1 -DHAVE_HIDDEN -DHAVE_UNISTD_H -DHAVE_STDARG_H -- \
    adler32.c compress.c crc32.c deflate.c infback.c inffast.c inflate.c inftrees.c trees.c uncompr.c zutil.c
  cp zlib.h zconf.h "$OUT/include/"
}
