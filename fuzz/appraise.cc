#include <cstdlib>

#include "attest/reference/appraise.h"

// The whole of appraisal. Input: u16 length, reference values, then evidence. Seeds carry quotes for the binding
// 00 01 … 1f; log, endorsement and reference values are not signed, so their mutations get behind the signature.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr int64_t kNow = 1800000000;
  cstl::Digest32 binding{};
  for (size_t i = 0; i < binding.size(); ++i) binding[i] = static_cast<uint8_t>(i);
  cstl::Reader r(cstl::Bytes(data, size));
  auto json = r.bytes16(0xffff);
  if (!json) return 0;
  auto values = cstl::ReferenceValues::parse(json->text(), kNow, nullptr);
  if (!values) return 0;
  cstl::AppraisalPolicy policy;
  policy.values = &*values;
  policy.now = kNow;
  policy.cluster = cstl::ClusterRule::outside;
  cstl::Verdict verdict = cstl::appraise(r.rest(), binding, policy);
  bool failed = false;
  for (const cstl::Claim& claim : verdict.claims) failed = failed || claim.result == cstl::ClaimResult::failed;
  if (verdict.passed() == failed || verdict.passed() != (verdict.roles != 0)) abort();
  if (verdict.summary().size() > 512 || verdict.to_text().empty() || verdict.to_json().empty()) abort();
  return 0;
}
