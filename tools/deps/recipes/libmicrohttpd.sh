# shellcheck shell=bash
# HTTP/1.1 for the metrics of services: plain GET over an epoll descriptor that the program's own loop waits for. No TLS,
# no threads, no authentication, no forms, no cookies, no upgrades, no texts of its own.

build_libmicrohttpd() {
  local off=() p
  for p in shared poll sendfile messages postprocessor https bauth dauth md5 sha256 sha512-256 httpupgrade cookie doc \
    examples tools curl; do
    off+=("--disable-$p")
  done
  ./configure "${off[@]}" --enable-static --enable-epoll=yes --enable-compact-code --with-threads=none --without-gnutls \
    CC="$CC" CFLAGS="${FLAGS[*]}"
  grep -q '^#define EPOLL_SUPPORT 1' MHD_config.h
  # No Date header: glibc's calendar reads the time zone's file, with 250 KB of what that needs.
  printf '%s\n' '#include <time.h>' '#define gmtime_r(seconds, fields) ((struct tm *)0)' >.undated.h
  make -C src/microhttpd -j"$JOBS" V=1 CPPFLAGS="-include $SRC/.undated.h" libmicrohttpd.la
  repack src/microhttpd/.libs/libmicrohttpd.a
  cp src/include/microhttpd.h "$OUT/include/"
}
