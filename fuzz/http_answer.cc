#include <cstdlib>

#include "attest/platform/http_answer.h"

// What a metadata service answers: never more than was allowed, and never more than came.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kMax = 512;
  auto body = cstl::http_body(cstl::Bytes(data, size), kMax);
  if (body.ok() && (body->size() > kMax || body->size() > size)) abort();
  if (!body.ok() && body.code() != cstl::Code::metadata_failed) abort();
  return 0;
}
