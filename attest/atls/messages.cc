#include "attest/atls/messages.h"

namespace cstl {

Result<Hello> Hello::decode(Bytes body) {
  Reader r(body);
  Hello m;
  TRY_LET(m.nonce, r.fixed<32>());
  TRY_LET(m.demanded, r.u32());
  TRY_LET(m.offered, r.u32());
  TRY(r.finish());
  return m;
}

Result<Bytes> Hello::encode(MutBytes out) const {
  Writer w(out);
  w.bytes(nonce);
  w.u32(demanded);
  w.u32(offered);
  return w.finish();
}

Result<VerdictMessage> VerdictMessage::decode(Bytes body) {
  Reader r(body);
  VerdictMessage m;
  TRY_LET(m.code, r.u16());
  TRY_LET(m.text, r.bytes16(kMaxErrorText));
  TRY(r.finish());
  return m;
}

Result<Bytes> VerdictMessage::encode(MutBytes out) const {
  if (text.size() > kMaxErrorText) return fail(Code::too_long, "verdict.text");
  Writer w(out);
  w.u16(code);
  w.bytes16(text);
  return w.finish();
}

}  // namespace cstl
