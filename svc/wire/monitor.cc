#include "svc/wire/monitor.h"

#include "svc/wire/secret_field.h"

namespace cstl {

Result<RekeyRequest> RekeyRequest::decode(Bytes body) {
  Reader r(body);
  RekeyRequest m;
  TRY_LET(m.disk_key, read_secret<kKeySize>(r));
  TRY_LET(m.owner_key, r.fixed<65>());
  TRY(r.finish());
  return m;
}

Result<SecretBuffer> RekeyRequest::encode() const {
  return write_secrets(kKeySize + owner_key.size(), [&](Writer& w) {
    w.bytes(disk_key.declassify());
    w.bytes(owner_key);
  });
}

Result<PowerRequest> PowerRequest::decode(Bytes body) {
  Reader r(body);
  PowerRequest m;
  TRY_LET(uint8_t action, r.u8());
  m.action = static_cast<PowerAction>(action);
  if (m.action != PowerAction::off && m.action != PowerAction::reboot) return fail(Code::bad_value, "power.action");
  TRY(r.finish());
  return m;
}

Result<Bytes> PowerRequest::encode(MutBytes out) const {
  Writer w(out);
  w.u8(static_cast<uint8_t>(action));
  return w.finish();
}

}  // namespace cstl
