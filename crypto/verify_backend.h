// Where crypto/sign.cc lets another library compute. For crypto/ only.
#pragma once

#include "crypto/base/bytes.h"

namespace cstl {

struct VerifyBackend {
  // `point` uncompressed, of P-256 or P-384 as its size says; r and s not longer than the curve's order. bad_key,
  // bad_signature, crypto_failed (no memory).
  Status (*ecdsa)(Bytes point, Bytes digest, Bytes r, Bytes s);
  // signature^65537 mod modulus, both of out.size() bytes, the modulus odd. bad_signature when it is not below the modulus.
  Status (*rsa_public)(Bytes modulus, Bytes signature, MutBytes out);
};

// Null: mbedTLS computes.
extern const VerifyBackend* verify_backend;

}  // namespace cstl
