#include "fuzz/again.h"
#include "svc/wire/attester.h"

using namespace cstl;

// attest_info, attest_request.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  Bytes body = Bytes(data, size).skip(1);
  if (data[0] == 0) decode_again<AttestInfo>(body);
  if (data[0] != 1) return 0;
  Result<AttestRequest> request = AttestRequest::decode(body);
  if (!request.ok()) return 0;
  std::array<uint8_t, 2 + 32 * kMaxAttestSessions> space;
  same(body, request->encode(space));
  if (request->count() == 0 || request->count() > kMaxAttestSessions) abort();
  if (!equal(request->session(request->count() - 1), request->sessions.skip(request->sessions.size() - 32))) abort();
  return 0;
}
