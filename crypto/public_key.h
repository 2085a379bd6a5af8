// Public keys of any accepted kind, and signatures as X.509 names them: the algorithm from an AlgorithmIdentifier, the hash
// from there too. Parsers are total. Everything here is public.
#pragma once

#include <vector>

#include "crypto/der.h"
#include "crypto/sign.h"

namespace cstl {

enum class KeyKind : uint8_t { p256, p384, rsa, other };

// Owns its bytes.
struct PublicKey {
  KeyKind kind = KeyKind::other;
  std::vector<uint8_t> point;    // p256, p384: uncompressed point
  std::vector<uint8_t> modulus;  // rsa: big endian, no leading zero
  uint32_t exponent = 0;
  std::vector<uint8_t> spki;     // SubjectPublicKeyInfo DER
};

// Of a SubjectPublicKeyInfo (RFC 5280, 4.1.2.7), to its last byte: an uncompressed point of P-256 or P-384 (RFC 5480), or
// rsaEncryption (RFC 3279, 2.3.1). That the key is a sound one is checked where it is used. Errors: bad_key.
Result<PublicKey> parse_public_key(Bytes spki);

enum class SignatureScheme : uint8_t { ecdsa, rsa_pkcs1_v15, rsa_pss };

struct SignatureAlgorithm {
  SignatureScheme scheme = SignatureScheme::ecdsa;
  HashKind hash = HashKind::sha256;
  int salt = 0;  // rsa_pss: bytes
};

// Of the content of an AlgorithmIdentifier: ecdsa-with-SHA256/384/512 (RFC 5758), sha256/384/512WithRSAEncryption
// (RFC 4055), id-RSASSA-PSS with SHA-256/384/512, MGF1 of the same hash and an explicit salt length (RFC 4055, 3.1).
// Anything else, SHA-1 included, is refused with `refusal`.
Result<SignatureAlgorithm> parse_signature_algorithm(Bytes content, Code refusal);

// Of `message`, which is hashed here: a certificate's or a CRL's, since what verifies is remembered
// (crypto/verified_signatures.h). ECDSA signatures are DER. `key` is parse_public_key()'s. Errors: bad_signature, bad_key (also when the key is of
// another kind than the algorithm).
Status verify_signature(const PublicKey& key, const SignatureAlgorithm& algorithm, Bytes message, Bytes signature);

}  // namespace cstl
