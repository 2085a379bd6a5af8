#include "attest/atls/messages.h"
#include "fuzz/again.h"

using namespace cstl;

// hello, verdict and error.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  Bytes body = Bytes(data, size).skip(1);
  if (data[0] == 0) decode_again<Hello>(body);
  if (data[0] == 1) decode_again<VerdictMessage>(body);
  return 0;
}
