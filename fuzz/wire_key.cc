#include "fuzz/again.h"
#include "svc/wire/key.h"

using namespace cstl;

// key_request, key_response.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  Bytes body = Bytes(data, size).skip(1);
  if (data[0] == 1) decode_secret_again<KeyResponse>(body);
  if (data[0] != 0) return 0;
  decode_again<KeyRequest>(body);
  Result<KeyRequest> request = KeyRequest::decode(body);
  if (!request.ok()) return 0;
  static const MasterSecret master;
  Code code = derive_key(master, request->key_class, request->id.text()).code();
  if (code != Code::ok && code != Code::bad_key_class) abort();
  return 0;
}
