#include "svc/wire/key.h"

#include "svc/wire/secret_field.h"

namespace cstl {

Result<KeyRequest> KeyRequest::decode(Bytes body) {
  Reader r(body);
  KeyRequest m;
  TRY_LET(uint8_t key_class, r.u8());
  TRY_LET(m.key_class, key_class_from(key_class));
  TRY_LET(m.id, r.bytes16(kMaxKeyId));
  TRY(r.finish());
  return m;
}

Result<Bytes> KeyRequest::encode(MutBytes out) const {
  if (id.size() > kMaxKeyId) return fail(Code::too_long, "key.id");
  Writer w(out);
  w.u8(static_cast<uint8_t>(key_class));
  w.bytes16(id);
  return w.finish();
}

Result<KeyResponse> KeyResponse::decode(Bytes body) {
  Reader r(body);
  KeyResponse m;
  TRY_LET(m.key, read_secret<kKeySize>(r));
  TRY(r.finish());
  return m;
}

Result<SecretBuffer> KeyResponse::encode() const {
  return write_secrets(kKeySize, [&](Writer& w) { w.bytes(key.declassify()); });
}

}  // namespace cstl
