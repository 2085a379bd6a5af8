#include <cstdlib>

#include "boot/metadata/metadata.h"

// Instance metadata: what is accepted writes itself in one form, and that form reads back to itself.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string problem;
  auto metadata = cstl::Metadata::parse(cstl::Bytes(data, size).text(), &problem);
  if (!metadata) {
    if (problem.empty() || metadata.code() != cstl::Code::metadata_malformed) abort();
    return 0;
  }
  std::string text = metadata->to_json();
  auto again = cstl::Metadata::parse(text, &problem);
  if (!again || again->to_json() != text) abort();
  return 0;
}
