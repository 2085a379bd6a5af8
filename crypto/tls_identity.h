// Inside of TlsIdentity, for crypto/tls.cc and crypto/tls_identity.cc only.
#pragma once

#include <mbedtls/ssl.h>

#include "crypto/mbedtls.h"
#include "crypto/tls.h"

namespace cstl {

using SslConfig = Pinned<mbedtls_ssl_config, mbedtls_ssl_config_init, mbedtls_ssl_config_free>;

// Sessions point into it, so it never moves.
struct TlsIdentity::State {
  Pk key;
  Certificate certificate;
  Certificate no_anchor;  // empty: mbedTLS demands a list of trust anchors, and ours holds none
  SslConfig client;
  SslConfig server;
  Digest32 spki_hash{};

  // `key` and `certificate` are set: checks that they belong together and fills in the rest.
  Status finish();
};

}  // namespace cstl
