// Stands in for AMD and for a processor with SEV-SNP, which no test machine has: makes ARK, ASK and ASVK per product,
// the VCEK or VLEK of one chip, CRLs, and reports that this chip signs. Keys are made when first used and live as long
// as the process; the RSA ones come from openssl (2048 bits: AMD's 4096 take long to make). What it makes goes through
// the same verification as AMD's, with its own roots pinned:
//
//   SnpChip chip(snp::Product::genoa);                    // or (product, Signer::vlek)
//   snp::Report report = chip.report();                   // sound values; change what you like
//   report.report_data = …;
//   verify_report(chip.sign(report), views(chip.certificates()), {snp_test_roots(), kNow}, …)
#pragma once

#include <vector>

#include "attest/snp/verify.h"
#include "tests/harness/der_writer.h"

namespace cstl::test {

constexpr int64_t kSnpValidFrom = 1577836800;   // 2020-01-01: of every certificate that is made
constexpr int64_t kSnpValidUntil = 2366841600;  // 2045-01-01

// Pins the made-up ARKs. Lives as long as the process.
const snp::ProductRoots& snp_test_roots();

// The made-up AMD of one product.
struct SnpAuthority {
  snp::Product product;
  Der ark, ask, asvk;
  static const SnpAuthority& of(snp::Product product);
  static constexpr uint64_t kAskSerial = 0x20001, kAsvkSerial = 0x20101;
  // Signed by the ARK. `serials` are revoked.
  Der crl(const std::vector<uint64_t>& serials, int64_t this_update, int64_t next_update) const;
  // A list that revokes nothing of ours, as stapled collateral (attest/snp/collateral.h).
  Der collateral(int64_t this_update, int64_t next_update) const;
  // PEM as AMD's key service answers: ASK (or ASVK), then ARK.
  std::string chain_pem(snp::Signer kind) const;
};

// What goes into the certificate of a VCEK or VLEK. The defaults are sound.
struct SnpLeaf {
  explicit SnpLeaf(snp::Product of_product, snp::Signer of_kind = snp::Signer::vcek);
  snp::Signer kind;
  snp::Product issuer;            // whose ASK or ASVK signs, and is named as issuer
  std::string product_name;       // "Genoa-B1"; of a VLEK without stepping
  std::string subject;            // "SEV-VCEK"
  snp::Tcb tcb;
  std::array<uint8_t, 4> reserved{};
  bool fmc;                       // the extension is there
  Der hwid;                       // empty: no extension
  std::string csp_id;
  std::string leave_out;          // OID of an extension that is left out
  int64_t not_before = kSnpValidFrom, not_after = kSnpValidUntil;
};

class SnpChip {
 public:
  explicit SnpChip(snp::Product product, snp::Signer kind = snp::Signer::vcek);
  explicit SnpChip(const SnpLeaf& leaf);
  // Leaf, ASK or ASVK, ARK.
  const std::vector<Der>& certificates() const { return certificates_; }
  // The member "snp" of a reference set that accepts what this chip signs of `report`: its launch measurement, this
  // AMD.
  std::string reference_json(const snp::Report& report) const;
  // A report of version 3 (CPUID named) with this chip's id and TCB, VMPL 0, policy without debug; REPORT_DATA is zero.
  snp::Report report() const;
  // All 1184 bytes, signed by the chip; r and s of `report` are ignored.
  Der sign(const snp::Report& report) const;
  // The unsigned encoding, for what sign() cannot make; then sign_raw() puts the signature in.
  static Der encode(const snp::Report& report);
  void sign_raw(Der* raw) const;

 private:
  SnpLeaf leaf_;
  std::array<uint8_t, 48> scalar_{};
  std::vector<Der> certificates_;
};

std::vector<Bytes> views(const std::vector<Der>& owned);
Der certificate_items(const std::vector<Der>& certificates);   // as evidence carries them
std::string to_pem(Bytes der, const char* label);

}  // namespace cstl::test
