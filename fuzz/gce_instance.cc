#include <cstdlib>

#include "attest/gcp/instance.h"

// Google's extension: names are printable and bounded, and borrow from the input.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto instance = cstl::gcp::Instance::decode(cstl::Bytes(data, size));
  if (!instance) return 0;
  for (std::string_view name : {instance->zone, instance->project, instance->name}) {
    if (name.empty() || name.size() > cstl::gcp::kMaxName) abort();
    for (char c : name) {
      if (c <= 0x20 || c >= 0x7f) abort();
    }
  }
  return 0;
}
