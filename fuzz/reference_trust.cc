#include <cstdlib>

#include "attest/reference/signed.h"

// A trust policy: what is accepted writes itself in one form, which reads back to itself, and its threshold can be reached.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string problem;
  auto policy = cstl::TrustPolicy::parse(cstl::Bytes(data, size).text(), &problem);
  if (!policy) {
    if (problem.empty()) abort();
    return 0;
  }
  if (policy->threshold == 0 || policy->threshold > policy->signers.size() || policy->name.empty()) abort();
  std::string text = policy->to_json();
  auto again = cstl::TrustPolicy::parse(text, &problem);
  if (!again || again->to_json() != text) abort();
  return 0;
}
