// Certificates of AMD's keys (AMD document 57230, VCEK certificate and KDS interface specification): what they say in
// their extensions, and lists of them. Total, borrowing; reading is not believing: verify_chain() (crypto/x509.h) says
// whether a certificate counts.
#pragma once

#include <vector>

#include "attest/roots.h"
#include "attest/snp/report.h"
#include "crypto/certificate.h"

namespace cstl::snp {

constexpr size_t kMaxCertificates = 6;      // of one report
constexpr size_t kTurinHwid = 8;            // bytes of a hardware id there; in CHIP_ID zeros stand behind it

// The certificate of a VCEK or a VLEK. Borrows from its DER.
struct Leaf {
  Signer kind = Signer::none;       // a VCEK's has a hardware id, a VLEK's names the cloud provider
  Product product = Product::unknown;       // of the key that issued it, "SEV-Milan" or "SEV-VLEK-Milan"
  Bytes product_name;                       // extension 1.2: "Milan-B0"; some of AMD's are wrong here
  Tcb tcb;                                  // extensions 1.3.*
  uint64_t tcb_raw = 0;  // TCB_VERSION with the reserved levels 4 to 7 where Milan and Genoa have them
  Bytes hwid;                               // VCEK: 64 bytes, or kTurinHwid
  Bytes csp_id;                             // VLEK: printable ASCII
  CertificateView view;

  // Errors: bad_certificate; snp_certificate_malformed (an extension is missing, has another form than 57230 gives it,
  // or a level over 127 that isn't microcode's; a certificate for both kinds or none; another subject than "SEV-VCEK"
  // or "SEV-VLEK", or an issuer that is not AMD's for that kind); snp_product for an issuer of a product that is not
  // known.
  static Result<Leaf> parse(Bytes der);
};

// "each u16 length and DER", as evidence carries certificates. At most kMaxCertificates. Errors: bad_certificate.
Result<std::vector<Bytes>> certificate_list(Bytes list);
// The common name (RFC 5280, A.1) of a Name's DER; empty if it has none or several.
Bytes common_name(Bytes name);

// Roots that may vouch, per product. AMD's by default; tests bring their own.
struct ProductRoots {
  Roots of[kProducts];                      // index: Product; unknown has none
};
const ProductRoots& amd_roots();

}  // namespace cstl::snp
