#include <cstdlib>

#include "attest/evidence.h"

// Evidence: what is accepted encodes to itself, and every item borrows from the input.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto evidence = cstl::Evidence::decode(cstl::Bytes(data, size));
  if (!evidence) return 0;
  std::vector<uint8_t> out(cstl::kMaxEvidence);
  auto again = evidence->encode(out);
  if (!again || !cstl::equal(*again, cstl::Bytes(data, size))) abort();
  return 0;
}
