#include <cstdlib>

#include "boot/components/bundle.h"

// A bundle's index: what is accepted writes itself in one form, that form reads back to itself, and its contents lie
// one after another.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cstl;
  std::string problem;
  auto files = parse_bundle_index(Bytes(data, size).text(), &problem);
  if (!files) {
    if (files.code() != Code::bundle_malformed || problem.empty()) abort();
    return 0;
  }
  std::string text = bundle_index(*files);
  auto again = parse_bundle_index(text, &problem);
  if (!again || bundle_index(*again) != text || again->size() != files->size()) abort();
  uint64_t end = 0;
  for (const BundleFile& file : *files) {
    if (file.offset <= end || file.offset % kTarBlock != 0) abort();
    end = file.offset + file.size - (file.size > 0 ? 1 : 0);
  }
  return 0;
}
