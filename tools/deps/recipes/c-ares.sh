# shellcheck shell=bash
# The resolver of libcurl: glibc's own loads shared objects at run time, which a static program cannot.

build_c_ares() {
  ./configure --enable-static --disable-shared --disable-tests --disable-cares-threads --disable-symbol-hiding \
    CC="$CC" CFLAGS="${FLAGS[*]}"
  # Ports are numbers for us; asking glibc for services by name would bring in what was to be avoided.
  printf '%s\n' '#define _GNU_SOURCE 1' '#include <netdb.h>' '#define getservbyname(...) ((struct servent *)0)' \
    '#define getservbyport(...) ((struct servent *)0)' '#define getservbyname_r(...) 1' \
    '#define getservbyport_r(...) 1' >.services.h
  make -C src/lib -j"$JOBS" V=1 CPPFLAGS="-include $SRC/.services.h" libcares.la
  repack src/lib/.libs/libcares.a
  cp include/ares*.h "$OUT/include/"
}
