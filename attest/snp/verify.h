// Verification of an SEV-SNP report: separate steps, each with its own codes, in the order of ReportStep.
// VerifiedReport is what only verify_report() can make: whoever holds one holds a report that a secure processor signed
// whose key AMD certified, up to a pinned root. What the values are worth, a reference says (reference.h). No I/O, no
// clock but the caller's; public data only.
#pragma once

#include "attest/snp/certificates.h"
#include "crypto/sign.h"

namespace cstl::snp {

enum class ReportStep : uint8_t {
  form,   // report.h: truncated, trailing, snp_report_version, snp_report_unsigned, snp_report_malformed
  leaf,   // snp_certificate_missing; bad_certificate, snp_certificate_malformed, snp_product (a processor not known)
  chain,  // snp_chain; certificate_expired, certificate_not_yet_valid
  revocation,   // certificate_revoked, crl_malformed, crl_signature, crl_expired, crl_not_yet_valid, crl_missing
  signing_key,  // snp_signing_key: VCEK or VLEK, as the report says
  product,      // snp_product
  chip_id,      // snp_chip_id: CHIP_ID and the VCEK's hardware id; a masked CHIP_ID is let pass, see chip_known()
  tcb,          // snp_tcb_mismatch: REPORTED_TCB and the leaf's levels
  signature,    // snp_signature
  report_data,  // snp_report_data
  vmpl,         // snp_vmpl: not a guest's
  done,
};
const char* report_step_name(ReportStep step);  // "snp.form", "snp.certificate", "snp.chain", "snp.crl", …

struct VerifyPolicy {
  ProductRoots roots = amd_roots();         
  int64_t now = 0;                           // verifier's clock, Unix seconds; never 0: certificate_not_yet_valid
  const std::vector<Bytes>* crls = nullptr;  // DER; AMD's root signs one, about ASK and ASVK
  bool crl_required = false;                 // crl_missing if there is none. One that is given counts in any case.
};

// What REPORT_DATA must hold: 64 bytes, or 32 that are its first half (Azure puts a SHA-256 there; zeros behind).
// Errors: snp_report_data; bad_value when `expected` is neither.
Status check_report_data(const Report& report, Bytes expected);

// A leaf that AMD certified, up to a pinned root, and did not revoke: what is slow about verification, and the same for
// every report of a chip until its TCB changes. Owns. Only verify_leaf() makes one.
class VerifiedLeaf {
 public:
  Signer kind() const { return kind_; }
  Product product() const { return product_; }
  uint64_t tcb() const { return tcb_; }                   // TCB_VERSION as a report has it
  const ChipId& chip_id() const { return chip_id_; }      // VCEK
  const std::string& csp_id() const { return csp_id_; }   // VLEK: the provider, as AMD wrote it; printable ASCII
  bool crl_checked() const { return crl_checked_; }
  // When it is valid, with its issuers and the CRL: Unix seconds, both inside.
  int64_t not_before() const { return not_before_; }
  int64_t not_after() const { return not_after_; }

 private:
  friend Result<VerifiedLeaf> verify_leaf(const std::vector<Bytes>&, const VerifyPolicy&, ReportStep&);
  friend class VerifiedReport;
  VerifiedLeaf() = default;
  Signer kind_ = Signer::none;
  Product product_ = Product::unknown, named_product_ = Product::unknown;
  uint64_t tcb_ = 0;
  ChipId chip_id_{};
  std::string csp_id_;
  P384Point key_{};
  bool crl_checked_ = false;
  int64_t not_before_ = 0, not_after_ = INT64_MAX;
};

class VerifiedReport {
 public:
  const Report& report() const { return report_; }
  Product product() const { return leaf_.product(); }
  Tcb current_tcb() const { return Tcb::from(report_.current_tcb, product()); }
  Tcb reported_tcb() const { return Tcb::from(report_.reported_tcb, product()); }
  Tcb committed_tcb() const { return Tcb::from(report_.committed_tcb, product()); }
  Tcb launch_tcb() const { return Tcb::from(report_.launch_tcb, product()); }
  const VerifiedLeaf& leaf() const { return leaf_; }
  // Which chip this is: CHIP_ID, or what the VCEK's certificate says if that is masked. A masked report by a VLEK does
  // not tell.
  bool chip_known() const { return leaf_.kind() == Signer::vcek || !report_.chip_masked(); }
  const ChipId& chip_id() const { return report_.chip_masked() ? leaf_.chip_id() : report_.chip_id; }
  int64_t not_before() const { return leaf_.not_before(); }
  int64_t not_after() const { return leaf_.not_after(); }
  // REPORT_DATA was compared with what the caller expects. Without that, the report may be anyone's and of any time.
  bool bound() const { return bound_; }

 private:
  friend Result<VerifiedReport> verify_report(Bytes, const VerifiedLeaf&, int64_t, Bytes, ReportStep&);
  explicit VerifiedReport(const VerifiedLeaf& leaf) : leaf_(leaf) {}
  Status check(Bytes raw, ReportStep& reached) const;
  Report report_;
  VerifiedLeaf leaf_;
  bool bound_ = false;
};

// Steps leaf to revocation. `certificates`: the leaf first, then ASK or ASVK and ARK in any order.
Result<VerifiedLeaf> verify_leaf(const std::vector<Bytes>& certificates, const VerifyPolicy& policy,
                                 ReportStep& reached);

// The other steps. `now` must be inside the leaf's validity (then step chain: certificate_expired,
// certificate_not_yet_valid). `report_data` as for check_report_data(); empty: not compared (a report in a file, say).
// `reached` tells the step that failed, or done.
Result<VerifiedReport> verify_report(Bytes report, const VerifiedLeaf& leaf, int64_t now, Bytes report_data,
                                     ReportStep& reached);

// All steps.
Result<VerifiedReport> verify_report(Bytes report, const std::vector<Bytes>& certificates, const VerifyPolicy& policy,
                                     Bytes report_data, ReportStep& reached);

}  // namespace cstl::snp
