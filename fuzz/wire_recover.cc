#include "fuzz/again.h"
#include "svc/wire/recover.h"

using namespace cstl;

namespace {
// Encoding signs anew: the keys must come back, and no body but our own may pass for the owner's.
void recover_request(Bytes body) {
  static const SigningKey owner = std::move(*SigningKey::from_scalar(*Secret<32>::copy_of(Digest32{1})));
  static const Secret<32> exporter;
  Result<RecoverRequest> message = RecoverRequest::decode(body);
  if (!message.ok()) return;
  Result<SecretBuffer> again = RecoverRequest::encode(*message, owner, exporter);
  if (!again.ok() || !equal(again->declassify().first(64), body.first(64))) abort();
  bool ours = equal(again->declassify(), body);
  if (!ours && RecoverRequest::verify_owner(body, owner.point(), exporter).ok()) abort();
}
}  // namespace

// recover_info, recover_request.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  Bytes body = Bytes(data, size).skip(1);
  if (data[0] == 0) decode_again<RecoverInfo>(body);
  if (data[0] == 1) recover_request(body);
  return 0;
}
