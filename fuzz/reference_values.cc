#include <cstdlib>

#include "attest/reference/values.h"

// Reference values: what is accepted writes itself in one form, which reads back to itself; every set enforces something.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr int64_t kNow = 1800000000;
  std::string problem;
  auto values = cstl::ReferenceValues::parse(cstl::Bytes(data, size).text(), kNow, &problem);
  if (!values) {
    if (problem.empty()) abort();
    return 0;
  }
  for (const cstl::ReferenceSet& set : values->sets) {
    bool enforced = false;
    for (const cstl::PcrReference& pcr : set.pcrs) enforced = enforced || pcr.enforce;
    if (!enforced || set.roles == 0 || (set.ek_roots.empty() && !set.allow_unendorsed_ak)) abort();
  }
  std::string text = values->to_json();
  if (text.size() > cstl::kMaxReferenceValues) return 0;  // indented, a document near the limit grows beyond it
  auto again = cstl::ReferenceValues::parse(text, kNow, &problem);
  if (!again || again->to_json() != text) abort();
  return 0;
}
