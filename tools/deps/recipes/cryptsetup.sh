# shellcheck shell=bash
# libcryptsetup only, over mbedTLS, with its bundled Argon2. What it would read of a
# hostile disk and never needs here is left out: reencryption, external tokens, OPAL, blkid probing.

build_cryptsetup() {
  ./autogen.sh
  local mbedtls dm
  mbedtls=$(dep mbedtls) dm=$(dep lvm2)
  # A file, since configure and make disagree on the quoting of <>.
  echo '#define MBEDTLS_CONFIG_FILE <mbedtls/cstl_mbedtls_config.h>' >.mbedtls.h
  ./configure --enable-static --disable-shared --with-crypto_backend=mbedtls \
    --disable-nls --disable-asciidoc --disable-udev --disable-selinux --disable-blkid --disable-hw-opal \
    --disable-kernel_crypto --disable-luks2-reencryption --disable-external-tokens --disable-ssh-token \
    --disable-veritysetup --disable-integritysetup \
    CFLAGS="${FLAGS[*]}" LDFLAGS="-L$mbedtls/lib -L$dm/lib" \
    CPPFLAGS="-I$mbedtls/include -I$dm/include -include $SRC/.mbedtls.h" \
    DEVMAPPER_CFLAGS="-I$dm/include" DEVMAPPER_LIBS="-L$dm/lib -ldevmapper -lpthread -lm"
  make -j"$JOBS" libcryptsetup.la
  repack .libs/libcryptsetup.a
  cp lib/libcryptsetup.h "$OUT/include/"
}
