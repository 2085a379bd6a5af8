#include <cstdlib>

#include "attest/predict/uki.h"

// PE images and UKIs: a prediction has its four PCRs, each the fold of its events.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  cstl::Bytes file(data, size);
  auto image = cstl::PeImage::decode(file);
  if (image) (void)cstl::authenticode(*image, cstl::HashKind::sha256);  // may refuse sections that overlap
  auto pcrs = cstl::predict_pcrs(file);
  if (!pcrs) return 0;
  if (!image || pcrs->size() != 4) abort();
  for (const cstl::PcrReference& pcr : *pcrs) {
    cstl::Digest32 value{};
    for (const cstl::ReferenceEvent& event : pcr.events) value = *cstl::sha256({value, event.digest});
    if (pcr.expected.size() != 1 || pcr.expected[0] != value || pcr.events.size() > cstl::kMaxReferenceEvents) abort();
  }
  return 0;
}
