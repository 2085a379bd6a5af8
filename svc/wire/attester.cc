#include "svc/wire/attester.h"

#include <cstring>

namespace cstl {

Result<AttestInfo> AttestInfo::decode(Bytes body) {
  Reader r(body);
  AttestInfo m;
  TRY_LET(uint8_t number, r.u8());
  TRY_LET(m.variant, variant_from_number(number));
  TRY(r.finish());
  return m;
}

Result<Bytes> AttestInfo::encode(MutBytes out) const {
  Writer w(out);
  w.u8(static_cast<uint8_t>(variant));
  return w.finish();
}

Digest32 AttestRequest::session(size_t index) const {
  Digest32 out{};
  std::memcpy(out.data(), sessions.skip(index * 32).data(), 32);
  return out;
}

Result<AttestRequest> AttestRequest::decode(Bytes body) {
  Reader r(body);
  AttestRequest m;
  TRY_LET(m.sessions, r.bytes16(kMaxAttestSessions * 32));
  TRY(r.finish());
  if (m.sessions.empty() || m.sessions.size() % 32 != 0) return fail(Code::bad_value, "attest.sessions");
  return m;
}

Result<Bytes> AttestRequest::encode(MutBytes out) const {
  if (sessions.empty() || sessions.size() % 32 != 0) return fail(Code::bad_value, "attest.sessions");
  if (sessions.size() > kMaxAttestSessions * 32) return fail(Code::too_long, "attest.sessions");
  Writer w(out);
  w.bytes16(sessions);
  return w.finish();
}

}  // namespace cstl
