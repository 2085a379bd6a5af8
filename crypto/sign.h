// Signatures: ECDSA P-256 keys of our own (owner key, AK endorsements of tests) and verification of foreign ones.
#pragma once

#include <string>
#include <vector>

#include "crypto/hash.h"

namespace cstl {

// Uncompressed point, 0x04 ‖ X ‖ Y (SEC 1, 2.3.3).
using P256Point = std::array<uint8_t, 65>;
// r ‖ s, 32 bytes each, big endian.
using P256Signature = std::array<uint8_t, 64>;

// A private key on NIST P-256; secret, wiped on destruction, movable.
class SigningKey {
 public:
  static Result<SigningKey> generate();
  static Result<SigningKey> from_scalar(const Secret<32>& scalar);  // bad_key unless 0 < scalar < n
  const P256Point& point() const { return point_; }
  const Secret<32>& scalar() const { return scalar_; }
  // ECDSA over a SHA-256 digest. Errors: crypto_failed.
  Result<P256Signature> sign(const Digest32& digest) const;

 private:
  SigningKey() = default;
  Secret<32> scalar_;
  P256Point point_{};
};

// Each: success or bad_signature; bad_key for a malformed key. All inputs public.
Status verify_p256(const P256Point& key, const Digest32& digest, Bytes r, Bytes s);  // r, s: big endian, 1..32 bytes
enum class RsaPadding : uint8_t { pkcs1_v15, pss };
// RSA with SHA-256; modulus 2048..4096 bits, public exponent 65537 only (else bad_key). PSS: MGF1-SHA-256, any salt.
Status verify_rsa(Bytes modulus, uint32_t exponent, RsaPadding padding, const Digest32& digest, Bytes signature);

// RSAES-OAEP with SHA-256 and `label` (the terminating zero included by the caller, as TPM 2.0 part 1, B.4 demands).
// `out` receives modulus.size() bytes. Errors: bad_key, crypto_failed.
Status rsa_oaep_encrypt(Bytes modulus, uint32_t exponent, Bytes label, Bytes plain, MutBytes out);
// AES-128 in CFB mode with a zero IV, in place (TPM 2.0 part 1, 24). Errors: crypto_failed.
Status aes128_cfb_encrypt(const Secret<16>& key, MutBytes data);

}  // namespace cstl
