// Base64 (RFC 4648, section 4) of secrets: no branch and no table depends on the data, and the text is wiped.
#pragma once

#include "crypto/base/secret.h"

namespace cstl {

constexpr size_t base64_size(size_t bytes) { return (bytes + 2) / 3 * 4; }
void put_secret_base64(Writer& writer, Bytes data);
SecretBuffer secret_base64(Bytes data);

}  // namespace cstl
