#include <cstdlib>

#include "attest/aws/document.h"

// Attestation documents: what is accepted has its parts, and nothing passes under a root of no one.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const cstl::Bytes input(data, size);
  auto document = cstl::aws::Document::decode(input);
  const cstl::Digest32 root{};
  cstl::aws::DocumentStep reached{};
  auto verified = cstl::aws::verify_document(input, cstl::ChainPolicy{&root, 1, 1800000000}, root, input, reached);
  if (verified || (!document && reached != cstl::aws::DocumentStep::form)) abort();
  if (!document) return 0;
  if (document->signature.size() != 96 || document->pcr_mask == 0 || document->bundle.empty()) abort();
  return 0;
}
