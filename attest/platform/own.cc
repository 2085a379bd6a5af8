#include "attest/platform/own.h"

#include <limits>

#include "attest/reference/appraise.h"
#include "attest/snp/collateral.h"

namespace cstl {

namespace {
constexpr uint8_t kOwnPcrs[] = {4, 9, 11, 12};

Error refuse(std::string* problem, Code code, const char* words) {
  if (problem != nullptr) *problem = words;
  return fail(code, "own.image");
}

// These take the report's facts; what it is bound to is appraised afterwards.
Status own_snp(const Evidence& evidence, int64_t now, ReferenceSet& set) {
  TRY_LET(std::vector<Bytes> certificates, snp::certificate_list(evidence.tee_certificates));
  TRY_LET(snp::Collateral collateral, snp::Collateral::decode(evidence.tee_collateral));
  const std::vector<Bytes> crls = collateral.crls();
  snp::VerifyPolicy policy;
  policy.now = now;
  policy.crls = &crls;
  snp::ReportStep reached = snp::ReportStep::form;
  TRY_LET(snp::VerifiedReport report, snp::verify_report(evidence.tee_report, certificates, policy, Bytes(), reached));
  set.snp = snp::Reference::own(report);
  return success();
}

Status own_tdx(const Evidence& evidence, int64_t now, ReferenceSet& set) {
  const tdx::Trust trust{kIntelRoots.hashes, kIntelRoots.count, now};
  std::optional<tdx::VerifiedCollateral> verified;
  if (!evidence.tee_collateral.empty()) {
    TRY_LET(tdx::Collateral collateral, tdx::Collateral::decode(evidence.tee_collateral));
    auto good = tdx::verify_collateral(collateral, trust, nullptr);
    if (!good.ok()) return good.error();
    verified = std::move(*good);
  }
  tdx::QuoteStep reached = tdx::QuoteStep::form;
  TRY_LET(tdx::VerifiedQuote quote,
          tdx::verify_quote(evidence.tee_report, verified ? &*verified : nullptr, trust, Bytes(), reached));
  set.tdx = tdx::Reference::own(quote);
  return success();
}
}  // namespace

Result<ReferenceSet> own_image(LocalAttester& attester, int64_t now, std::string* problem) {
  const Variant variant = attester.variant();
  ReferenceSet set;
  set.id = "own-image";
  set.variant = variant;
  set.not_before = 0;
  set.not_after = std::numeric_limits<int64_t>::max();
  set.roles = (1 << static_cast<unsigned>(Role::control_plane)) | (1 << static_cast<unsigned>(Role::worker));
  set.allow_unendorsed_ak = may_be_unendorsed(variant);
  if (variant == Variant::tpm) {
    return refuse(problem, Code::ek_chain, "the variant tpm needs reference values with EK roots in the image");
  }
  if (ak_root_of(variant) == AkRoot::certificate) {
    return refuse(problem, Code::ak_chain, "this variant needs reference values with AK roots in the image");
  }
  Digest32 nonce{};
  TRY(random_bytes(nonce));
  TRY_LET(EvidenceList made, attester.sign({nonce}, 1));
  TRY_LET(Evidence evidence, Evidence::decode(made.front()));
  for (uint8_t index : kOwnPcrs) {
    if (!has_tpm(variant)) break;
    PcrReference pcr;
    pcr.index = index;
    Digest32 value;
    std::memcpy(value.data(), evidence.pcr_values.skip(size_t{32} * index).data(), value.size());
    pcr.expected.push_back(value);
    set.pcrs.push_back(std::move(pcr));
  }
  Status own = success();
  if (has_snp(variant)) own = own_snp(evidence, now, set);
  if (has_tdx(variant)) own = own_tdx(evidence, now, set);
  if (!own.ok()) {
    if (problem != nullptr) *problem = "this machine's own report does not verify; give the image reference values";
    return own.error();
  }
  // Others answer for the machine: a quoting service, the TPM's bus. Only what is of this very request counts.
  ReferenceValues values;
  values.sets.push_back(set);
  AppraisalPolicy policy;
  policy.values = &values;
  policy.now = now;
  const Verdict verdict = appraise(made.front(), nonce, policy);
  if (!verdict.passed()) {
    if (problem != nullptr) *problem = "this machine's own evidence: " + verdict.summary();
    return fail(verdict.code, "own.appraise");
  }
  return set;
}

}  // namespace cstl
