#include "svc/wire/verify.h"

namespace cstl {

namespace {
constexpr size_t kMaxName = 63;
constexpr size_t kMaxVersion = 32;
}  // namespace

Result<VerifyResponse> VerifyResponse::decode(Bytes body) {
  Reader r(body);
  VerifyResponse m;
  TRY_LET(m.cluster_id, r.fixed<32>());
  TRY_LET(uint8_t role, r.u8());
  TRY_LET(m.role, role_from_number(role));
  TRY_LET(m.name, r.bytes16(kMaxName));
  TRY_LET(m.version, r.bytes16(kMaxVersion));
  TRY(r.finish());
  return m;
}

Result<Bytes> VerifyResponse::encode(MutBytes out) const {
  if (name.size() > kMaxName) return fail(Code::too_long, "verify.name");
  if (version.size() > kMaxVersion) return fail(Code::too_long, "verify.version");
  Writer w(out);
  w.bytes(cluster_id);
  w.u8(static_cast<uint8_t>(role));
  w.bytes16(name);
  w.bytes16(version);
  return w.finish();
}

}  // namespace cstl
