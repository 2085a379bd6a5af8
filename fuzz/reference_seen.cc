#include <cstdlib>

#include "attest/reference/seen.h"

// The memory of versions that were taken: what is accepted is written as the same memory; what is refused is explained.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string problem;
  const auto seen = cstl::SeenReferences::parse(cstl::Bytes(data, size).text(), &problem);
  if (!seen) {
    if (seen.code() != cstl::Code::config_malformed || problem.empty()) abort();
    return 0;
  }
  const std::string text = seen->to_json();
  const auto again = cstl::SeenReferences::parse(text, &problem);
  if (!again || again->to_json() != text) abort();
  return 0;
}
