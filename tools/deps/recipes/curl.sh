# shellcheck shell=bash
# libcurl only: HTTP/1.1 and HTTPS over mbedTLS, names through c-ares. No proxy, no cookies, no credentials of its
# own, no other protocol, no threads, no files: certificates and keys are given as memory.

build_curl() {
  local mbedtls ares off=() p
  mbedtls=$(dep mbedtls) ares=$(dep c-ares)
  for p in ftp file ipfs ldap ldaps rtsp dict telnet tftp pop3 imap smb smtp gopher mqtt websockets proxy cookies \
    http-auth basic-auth bearer-auth digest-auth kerberos-auth negotiate-auth aws ntlm httpsig \
    alt-svc hsts doh mime form-api dateparse netrc progress-meter libcurl-option get-easy-options \
    headers-api socketpair unix-sockets threaded-resolver sspi manual docs verbose shared debug \
    ca-search ca-native bindlocal sha512-256; do
    off+=("--disable-$p")
  done
  for p in zlib brotli zstd libpsl libidn2 nghttp2 nghttp3 ngtcp2 quiche libssh libssh2 gssapi \
    libgsasl libuv ca-bundle ca-path; do
    off+=("--without-$p")
  done
  echo '#define MBEDTLS_CONFIG_FILE <mbedtls/cstl_mbedtls_config.h>' >.mbedtls.h
  # For configure's own test programs: ours define what mbedTLS leaves to them (crypto/hash.cc).
  echo 'void *mbedtls_platform_gmtime_r(const void *t, void *o) { (void)t; return o; }' | "$CC" -x c -c - -o .gmtime.o
  LIBS=$SRC/.gmtime.o ./configure "${off[@]}" --enable-static --enable-http --enable-ipv6 --with-mbedtls="$mbedtls" --enable-ares="$ares" \
    CC="$CC" CFLAGS="${FLAGS[*]}" CPPFLAGS="-I$mbedtls/include -include $SRC/.mbedtls.h" LDFLAGS="-L$mbedtls/lib"
  grep -q '^#define USE_MBEDTLS 1' lib/curl_config.h
  grep -q '^#define USE_ARES 1' lib/curl_config.h
  make -C lib -j"$JOBS" V=1 libcurl.la
  repack lib/.libs/libcurl.a
  mkdir "$OUT/include/curl"
  cp include/curl/*.h "$OUT/include/curl/"
}
