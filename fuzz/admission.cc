#include <cstdlib>

#include "boot/bootstrapper/handover.h"

// What the bootstrapper's confined process hands to the root one: what is accepted has one encoding, which reads back.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto admission = cstl::decode_admission(cstl::Bytes(data, size));
  if (!admission) return 0;
  auto once = cstl::encode_admission(*admission);
  if (!once) abort();
  auto again = cstl::decode_admission(once->declassify());
  if (!again) abort();
  auto twice = cstl::encode_admission(*again);
  if (!twice || !cstl::equal(once->declassify(), twice->declassify())) abort();
  return 0;
}
