#include "fuzz/again.h"
#include "svc/wire/init.h"

using namespace cstl;

namespace {
// Encoding signs anew, with the key of the test: all but that key and its signature must come back.
void init_request(Bytes body) {
  static const SigningKey owner = std::move(*SigningKey::from_scalar(*Secret<32>::copy_of(Digest32{1})));
  static const Secret<32> exporter;
  Result<InitRequest> message = InitRequest::decode(body);
  Code code = InitRequest::verify_owner(body, exporter).code();
  if (code != Code::owner_signature && (code != Code::ok || !message.ok())) abort();
  if (!message.ok()) return;
  Result<SecretBuffer> again = InitRequest::encode(*message, owner, exporter);
  if (!again.ok() || again->size() != body.size()) abort();
  if (!InitRequest::verify_owner(again->declassify(), exporter).ok()) abort();
  constexpr size_t kBeforeOwner = 4 * 32;
  constexpr size_t kSignature = 64;
  Bytes written = again->declassify();
  if (!equal(written.first(kBeforeOwner), body.first(kBeforeOwner))) abort();
  size_t fields = body.size() - kSignature;
  if (!equal(written.first(fields).skip(kBeforeOwner + 65), body.first(fields).skip(kBeforeOwner + 65))) abort();
}
}  // namespace

// init_request, init_progress, init_response.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  Bytes body = Bytes(data, size).skip(1);
  if (data[0] == 0) init_request(body);
  if (data[0] == 1) decode_again<InitProgress>(body);
  if (data[0] == 2) decode_secret_again<InitResponse>(body);
  return 0;
}
