// Evidence of machines without TPM: the TEE's report alone, over the same tree of waiting sessions.
#pragma once

#include "attest/tpm/issue.h"

namespace cstl {

class ReportIssuer final : public LocalAttester {
 public:
  // `source` must outlive the issuer.
  ReportIssuer(Variant variant, tpm::EvidenceSource& source) : variant_(variant), source_(source) {}
  Variant variant() const override { return variant_; }
  size_t max_bindings() const override { return kMaxMerkleLeaves; }
  Result<EvidenceList> sign(const std::vector<Digest32>& bindings, size_t wanted) override;
  // There is no TPM: unsupported.
  Result<std::vector<uint8_t>> activate(Bytes credential) override;

 private:
  Variant variant_;
  tpm::EvidenceSource& source_;
};

}  // namespace cstl
