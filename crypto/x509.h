// The little X.509 (RFC 5280) that cstl needs: endorsement chains, and the key inside a peer's certificate.
#pragma once

#include <vector>

#include "crypto/certificate.h"
#include "crypto/crl.h"
#include "crypto/public_key.h"

namespace cstl {

constexpr size_t kMaxCertificate = 8192;  // bytes of DER
constexpr size_t kMaxChain = 6;

// The key of a DER certificate. Errors: bad_certificate (also when trailing bytes follow).
Result<PublicKey> certificate_key(Bytes der);
// SHA-256 of the SubjectPublicKeyInfo of a DER certificate: how trust anchors are pinned.
Result<Digest32> certificate_spki_hash(Bytes der);

// Which certificates of a chain a CRL must speak of. Whatever is demanded, a CRL that is given counts: it must be its
// issuer's, one of the issuer's must be current, and what any of them lists is revoked.
enum class CrlDemand : uint8_t {
  none,           // none must
  intermediates,  // every one between leaf and root (AMD publishes a list of its roots only)
  all,            // every one below the root (Intel)
};

struct ChainPolicy {
  const Digest32* roots;   // pinned roots, by SPKI hash
  size_t root_count;
  int64_t now;             // verifier's clock, Unix seconds; 0: validity windows (also the CRLs') are not checked
  const std::vector<Bytes>* crls = nullptr;  // DER; those of issuers outside the chain are ignored once they parse
  CrlDemand demand = CrlDemand::none;
  bool self_signed = false;  // what is pinned are roots, none but certificates that their own keys signed
};
// `leaf` DER, `others` DER in any order (intermediates and the root). From the leaf up to a certificate whose SPKI hash is
// pinned: signatures (ECDSA P-256 and P-384; RSA of 2048 to 4096 bits, PKCS#1 v1.5 or PSS; SHA-256, SHA-384, SHA-512),
// names (byte for byte), basic constraints, path length, key usage, validity, critical extensions (unknown ones are
// refused; name constraints even if not critical), CRLs. Policies of certification are not read, nor what constrains them
// without being critical. A pinned root's own signature counts too, so that no bit of a chain may differ; a pinned
// intermediate's does not, nor that of one whose issuer has another name, unless the policy says `self_signed`. Each certificate is used once, so a hostile set costs at most kMaxChain^2 signatures. The TCG's
// directoryName-only subject alternative name of endorsement certificates is accepted. Vendors' extensions (SEV-SNP's
// VCEK, SGX's PCK) are not critical: read them with CertificateView. What a leaf may be used for (extended key usage) is
// the caller's to judge.
// Errors: bad_certificate, untrusted_chain, certificate_expired, certificate_not_yet_valid, certificate_revoked,
// crl_malformed, crl_signature, crl_expired, crl_not_yet_valid, crl_missing.
Status verify_chain(Bytes leaf, const std::vector<Bytes>& others, const ChainPolicy& policy);

// DER of a PEM file's certificates (or of one DER certificate). Errors: bad_certificate.
Result<std::vector<std::vector<uint8_t>>> certificates_from_file(Bytes contents);

}  // namespace cstl
