#include "svc/wire/recover.h"

#include "svc/wire/secret_field.h"

namespace cstl {

namespace {
constexpr std::string_view kRecoverLabel = "cstl-recover-1";
constexpr size_t kSigned = 2 * kKeySize;
constexpr size_t kSignature = 64;
}  // namespace

Result<RecoverInfo> RecoverInfo::decode(Bytes body) {
  Reader r(body);
  RecoverInfo m;
  TRY_LET(m.disk, r.fixed<16>());
  TRY(r.finish());
  return m;
}

Result<Bytes> RecoverInfo::encode(MutBytes out) const {
  Writer w(out);
  w.bytes(disk);
  return w.finish();
}

Result<RecoverRequest> RecoverRequest::decode(Bytes body) {
  Reader r(body);
  RecoverRequest m;
  TRY_LET(m.disk_key, read_secret<kKeySize>(r));
  TRY_LET(m.measurement_key, read_secret<kKeySize>(r));
  TRY_LET(m.signature, r.fixed<kSignature>());
  TRY(r.finish());
  return m;
}

Result<SecretBuffer> RecoverRequest::encode(const RecoverRequest& m, const SigningKey& owner,
                                            const Secret<32>& exporter) {
  TRY_LET(SecretBuffer out, write_secrets(kSigned + kSignature, [&](Writer& w) {
    w.bytes(m.disk_key.declassify());
    w.bytes(m.measurement_key.declassify());
    w.bytes(P256Signature{});
  }));
  TRY_LET(Digest32 digest, owner_digest(kRecoverLabel, exporter, out.declassify().first(kSigned)));
  TRY_LET(P256Signature signature, owner.sign(digest));
  std::memcpy(out.space().data() + kSigned, signature.data(), kSignature);
  return out;
}

Status RecoverRequest::verify_owner(Bytes body, const P256Point& owner, const Secret<32>& exporter) {
  Result<RecoverRequest> m = decode(body);
  if (!m.ok()) return fail(Code::owner_signature, "recover.decode");
  TRY_LET(Digest32 digest, owner_digest(kRecoverLabel, exporter, body.first(kSigned)));
  Bytes signature = m->signature;
  if (!verify_p256(owner, digest, signature.first(32), signature.skip(32)).ok()) {
    return fail(Code::owner_signature, "recover.signature");
  }
  return success();
}

}  // namespace cstl
