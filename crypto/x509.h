// The little X.509 (RFC 5280) that cstl needs: endorsement chains, and the key inside a peer's certificate.
#pragma once

#include <vector>

#include "crypto/sign.h"

namespace cstl {

constexpr size_t kMaxCertificate = 8192;  // bytes of DER
constexpr size_t kMaxChain = 6;

enum class KeyKind : uint8_t { p256, p384, rsa, other };

// Public; owns its bytes.
struct PublicKey {
  KeyKind kind = KeyKind::other;
  std::vector<uint8_t> point;    // p256, p384: uncompressed point
  std::vector<uint8_t> modulus;  // rsa: big endian, no leading zero
  uint32_t exponent = 0;
  std::vector<uint8_t> spki;     // SubjectPublicKeyInfo DER
};

// The key of a DER certificate. Errors: bad_certificate (also when trailing bytes follow).
Result<PublicKey> certificate_key(Bytes der);
// SHA-256 of the SubjectPublicKeyInfo of a DER certificate: how trust anchors are pinned.
Result<Digest32> certificate_spki_hash(Bytes der);

struct ChainPolicy {
  const Digest32* roots;   // pinned roots, by SPKI hash
  size_t root_count;
  int64_t now;             // verifier's clock, Unix seconds; 0: validity windows are not checked
};
// `leaf` DER, `others` DER in any order (intermediates and the root). Signature, basic constraints, key usage and
// critical extensions are checked up to a certificate whose SPKI hash is pinned; the TCG's directoryName-only subject
// alternative name of endorsement certificates is accepted. Errors: bad_certificate, untrusted_chain.
Status verify_chain(Bytes leaf, const std::vector<Bytes>& others, const ChainPolicy& policy);

// DER of a PEM file's certificates (or of one DER certificate). Errors: bad_certificate.
Result<std::vector<std::vector<uint8_t>>> certificates_from_file(Bytes contents);

}  // namespace cstl
