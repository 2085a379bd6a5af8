// ECDSA P-256 keys and signatures in the forms that other tools write: PEM keys (openssl, cosign's public keys), DER
// signatures. Private keys are unencrypted PKCS#8 or SEC 1; an encrypted one is refused.
#pragma once

#include "crypto/public_key.h"

namespace cstl {

constexpr size_t kMaxKeyFile = 16 * 1024;

// The private key in a PEM file (`openssl ecparam -genkey`, `openssl genpkey`). Touches a secret; the caller wipes `pem`.
// Errors: bad_key (none, encrypted, or not on P-256).
Result<SigningKey> signing_key_from_pem(Bytes pem);
// The public key in a PEM file ("PUBLIC KEY", RFC 7468, 13): P-256 only. Errors: bad_key.
Result<PublicKey> p256_key_from_pem(Bytes pem);
// "-----BEGIN PUBLIC KEY-----" … with a newline at its end.
std::string public_key_pem(const P256Point& point);
// SubjectPublicKeyInfo, DER.
std::vector<uint8_t> p256_spki(const P256Point& point);
// PKCS#8 PEM of a key of our own: secret.
Result<SecretBuffer> signing_key_pem(const SigningKey& key);

// SEQUENCE { r INTEGER, s INTEGER } (RFC 3279, 2.2.3), DER.
std::vector<uint8_t> ecdsa_der(const P256Signature& signature);

}  // namespace cstl
