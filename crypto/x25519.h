// X25519 keys (RFC 7748), for WireGuard.
#pragma once

#include "crypto/hash.h"

namespace cstl {

// A new private key, clamped as section 5 of the RFC says. Secret. Errors: no_entropy.
Result<Secret<32>> x25519_generate();
// Its public key. Errors: crypto_failed, bad_key (not clamped).
Result<std::array<uint8_t, 32>> x25519_public(const Secret<32>& key);

}  // namespace cstl
