# shellcheck shell=bash
# libmbedcrypto at -O2: handshakes spend their time there. The rest at -Os.

build_mbedtls() {
  # shellcheck disable=SC2153
  cp "$CONFIG" "$SRC/include/mbedtls/cstl_mbedtls_config.h"
  local config=(-DMBEDTLS_CONFIG_FILE='<mbedtls/cstl_mbedtls_config.h>' -Iinclude -Ilibrary)
  local crypto=() x509=() tls=() f
  for f in library/*.c; do
    case ${f##*/} in
      x509*.c | pkcs7.c) x509+=("$f") ;;
      ssl_*.c | debug.c | mps_*.c | net_sockets.c) tls+=("$f") ;;
      *) crypto+=("$f") ;;
    esac
  done
  archive libmbedcrypto.a -O2 "${config[@]}" -- "${crypto[@]}"
  archive libmbedx509.a "${config[@]}" -- "${x509[@]}"
  archive libmbedtls.a "${config[@]}" -- "${tls[@]}"
  cp -R include/mbedtls include/psa "$OUT/include/"
}
