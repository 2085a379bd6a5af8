#include "fuzz/again.h"
#include "svc/wire/monitor.h"

using namespace cstl;

// rekey_request, power_request, start_request.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  Bytes body = Bytes(data, size).skip(1);
  if (data[0] == 0) decode_secret_again<RekeyRequest>(body);
  if (data[0] == 1) decode_again<PowerRequest>(body);
  if (data[0] == 2) decode_again<StartRequest>(body);
  return 0;
}
