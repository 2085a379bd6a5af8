#include "crypto/base/json.h"

#include <cstdlib>

using namespace cstl;

// Accepted JSON writes itself and that reads back to the same value.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kMax = 4096;
  Result<nlohmann::json> value = parse_json({reinterpret_cast<const char*>(data), size}, kMax);
  if (!value.ok()) {
    if (value.code() != Code::bad_json && (value.code() != Code::too_long || size <= kMax)) abort();
    return 0;
  }
  Result<nlohmann::json> again = parse_json(value->dump(), 8 * kMax);
  if (!again.ok() || *again != *value) abort();
  return 0;
}
