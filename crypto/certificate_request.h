// Certificate requests (PKCS#10, RFC 2986) for keys of our own, and such keys as files of other programs.
#pragma once

#include "crypto/sign.h"

namespace cstl {

// DER; subject O and CN, no attributes, ECDSA with SHA-256. Both texts: 1 to 64 characters of [A-Za-z0-9:.-].
// Errors: bad_value, crypto_failed.
Result<std::vector<uint8_t>> make_certificate_request(const SigningKey& key, std::string_view organization,
                                                      std::string_view common_name);

// "-----BEGIN EC PRIVATE KEY-----" (SEC 1, RFC 5915). Secret. Errors: crypto_failed.
Result<SecretBuffer> private_key_pem(const SigningKey& key);

}  // namespace cstl
