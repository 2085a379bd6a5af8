// What is inside a certificate (RFC 5280), borrowed from its DER: names, serial number, validity, extensions by OID.
// Reading is not believing: verify_chain() (crypto/x509.h) says whether a certificate counts.
//
// Total: no allocation, no recursion. It reads the frame of the certificate, not what the names hold.
#pragma once

#include "crypto/der.h"

namespace cstl {

struct CertificateView {
  Bytes to_be_signed;     // TBSCertificate with its header
  Bytes algorithm;        // content of the outer AlgorithmIdentifier, which equals the inner one
  Bytes signature;        // the BIT STRING's bytes
  Bytes serial;           // INTEGER's content, as it is
  Bytes issuer;           // Name with its header; equal names are equal bytes here
  Bytes subject;
  int64_t not_before = 0; // Unix seconds; both ends are inside
  int64_t not_after = 0;
  Bytes spki;             // SubjectPublicKeyInfo with its header
  Bytes extensions;       // content of SEQUENCE OF Extension; empty when there are none

  // Errors: bad_certificate, also for trailing bytes and for an extension that stands twice.
  static Result<CertificateView> parse(Bytes der);
  // The extension's value: what its OCTET STRING holds. `oid` is the content of an OBJECT IDENTIFIER. `critical` may be
  // null. Errors: extension_missing.
  Result<Bytes> extension(Bytes oid, bool* critical = nullptr) const;
};

// The next Extension of a list of them. Errors: what the reader refuses with.
struct Extension {
  Bytes oid;
  bool critical = false;
  Bytes value;
};
Result<Extension> take_extension(DerReader* list);

}  // namespace cstl
