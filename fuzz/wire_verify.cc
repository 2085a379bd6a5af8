#include "fuzz/again.h"
#include "svc/wire/verify.h"

// verify_response.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  cstl::decode_again<cstl::VerifyResponse>(cstl::Bytes(data, size));
  return 0;
}
