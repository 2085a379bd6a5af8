#include <cstdlib>

#include "attest/predict/tdx.h"

// TDX metadata in firmware images: what is found lies inside the image, is bounded, and measures the same twice.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cstl;
  Bytes input(data, size);
  auto sections = tdvf_sections(input);
  if (!sections.ok()) {
    if (sections.code() != Code::firmware_malformed) abort();
    return 0;
  }
  uint64_t pages = 0;
  for (const TdvfSection& section : *sections) {
    if (!section.contents.empty() && (section.contents.begin() < data || section.contents.end() > data + size)) abort();
    pages += section.memory_size / kTdvfPage;
  }
  if (pages > kMaxTdvfPages) abort();
  if (pages > 64) return 0;  // time
  auto once = predict_mrtd(input, PageOrder::page_by_page);
  auto again = predict_mrtd(input, PageOrder::page_by_page);
  if (!once.ok() || !again.ok() || *once != *again) abort();
  return 0;
}
