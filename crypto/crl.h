// Certificate revocation lists (RFC 5280, 5), borrowed from their DER. A CRL says something only once verify() has passed.
//
// Accepted are complete lists of one issuer: delta CRLs, indirect CRLs, an issuing distribution point, and any other
// critical extension are refused. Total; no allocation, no recursion; linear in the number of entries.
#pragma once

#include <vector>

#include "crypto/certificate.h"

namespace cstl {

constexpr size_t kMaxCrl = 1 << 20;  // bytes of DER

class Crl {
 public:
  // The whole list is read, so that what follows cannot fail. Errors: crl_malformed (also: no nextUpdate).
  static Result<Crl> parse(Bytes der);

  Bytes issuer() const { return issuer_; }             // Name with its header
  int64_t this_update() const { return this_update_; } // Unix seconds
  int64_t next_update() const { return next_update_; }

  // Is by `issuer` (names equal, cRLSign not excluded by its key usage, signature) and current at `now`, Unix seconds;
  // 0: time is not judged. Whether the issuer itself is trusted is the caller's to know. Errors: bad_certificate,
  // crl_signature, crl_expired, crl_not_yet_valid.
  Status verify(Bytes issuer, int64_t now) const;
  Status verify_signature(Bytes issuer) const;
  Status check_time(int64_t now) const;
  // `serial` as in CertificateView; zeros in front of it, here or in the list, make no difference.
  bool lists(Bytes serial) const;

 private:
  Crl() = default;
  Bytes to_be_signed_, algorithm_, signature_, issuer_, entries_;
  int64_t this_update_ = 0, next_update_ = 0;
};

// The DER of a CRL that may be PEM ("X509 CRL", RFC 7468, 6). Errors: crl_malformed.
Result<std::vector<uint8_t>> crl_from_file(Bytes contents);

}  // namespace cstl
