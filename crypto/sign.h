// Signatures: ECDSA P-256 keys of our own (owner key, AK endorsements of tests); verification of foreign ones: ECDSA P-256
// and P-384, RSA. crypto/x509.h verifies by certificates, crypto/signature.h by what an AlgorithmIdentifier says.
#pragma once

#include <string>
#include <vector>

#include "crypto/hash.h"

namespace cstl {

// Uncompressed point, 0x04 ‖ X ‖ Y (SEC 1, 2.3.3).
using P256Point = std::array<uint8_t, 65>;
using P384Point = std::array<uint8_t, 97>;
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

// Verification. Each: success or bad_signature; bad_key for a malformed key; bad_value for a digest of no known size. All
// inputs are public.
//
// `digest` is SHA-256's, SHA-384's or SHA-512's, as its size says; ECDSA takes its leftmost bits (FIPS 186-5, 6.4.2).
// r, s: big endian, at least 1 byte, at most the curve's 32 or 48.
Status verify_p256(const P256Point& key, Bytes digest, Bytes r, Bytes s);
Status verify_p384(const P384Point& key, Bytes digest, Bytes r, Bytes s);
// The same for a signature as certificates carry it: SEQUENCE { r INTEGER, s INTEGER } in DER (RFC 3279, 2.2.3).
// `point` is P256Point's or P384Point's, as its size says.
Status verify_ecdsa_der(Bytes point, Bytes digest, Bytes signature);

enum class RsaPadding : uint8_t { pkcs1_v15, pss };
constexpr int kAnySalt = -1;
// RSA (RFC 8017) with the digest's own hash, PSS with MGF1 of it too; modulus 2048..4096 bits without leading zeros,
// public exponent 65537 only (else bad_key). `salt` is the length that PSS must have used, in bytes.
Status verify_rsa(Bytes modulus, uint32_t exponent, RsaPadding padding, Bytes digest, Bytes signature,
                  int salt = kAnySalt);

// RSAES-OAEP with SHA-256 and `label` (the terminating zero included by the caller, as TPM 2.0 part 1, B.4 demands).
// `out` receives modulus.size() bytes. Errors: bad_key, crypto_failed.
Status rsa_oaep_encrypt(Bytes modulus, uint32_t exponent, Bytes label, Bytes plain, MutBytes out);
// AES-128 in CFB mode with a zero IV, in place (TPM 2.0 part 1, 24). Errors: crypto_failed.
Status aes128_cfb_encrypt(const Secret<16>& key, MutBytes data);

}  // namespace cstl
