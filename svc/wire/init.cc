#include "svc/wire/init.h"

#include "svc/wire/secret_field.h"

namespace cstl {

namespace {
constexpr std::string_view kInitLabel = "cstl-init-1";
constexpr size_t kMaxProgress = 256;
constexpr size_t kInitSize = 32 + 2 * kKeySize + 32 + 65 + 4 + 4 + 64;  // with nothing of variable length
constexpr size_t kSignature = 64;
}  // namespace

Result<InitRequest> InitRequest::decode(Bytes body) {
  Reader r(body);
  InitRequest m;
  TRY_LET(m.init_secret, read_secret<32>(r));
  TRY_LET(m.master.key, read_secret<kKeySize>(r));
  TRY_LET(m.master.salt, read_secret<kKeySize>(r));
  TRY_LET(m.measurement_salt, r.fixed<32>());
  TRY_LET(m.owner_key, r.fixed<65>());
  TRY_LET(m.reference_values, r.bytes32(kMaxReferenceValues));
  TRY_LET(m.cluster, r.bytes32(kMaxCluster));
  TRY_LET(m.signature, r.fixed<kSignature>());
  TRY(r.finish());
  return m;
}

Result<SecretBuffer> InitRequest::encode(const InitRequest& m, const SigningKey& owner, const Secret<32>& exporter) {
  if (m.reference_values.size() > kMaxReferenceValues) return fail(Code::too_long, "init.reference_values");
  if (m.cluster.size() > kMaxCluster) return fail(Code::too_long, "init.cluster");
  TRY_LET(SecretBuffer out, write_secrets(kInitSize + m.reference_values.size() + m.cluster.size(), [&](Writer& w) {
    w.bytes(m.init_secret.declassify());
    w.bytes(m.master.key.declassify());
    w.bytes(m.master.salt.declassify());
    w.bytes(m.measurement_salt);
    w.bytes(owner.point());
    w.bytes32(m.reference_values);
    w.bytes32(m.cluster);
    w.bytes(P256Signature{});
  }));
  size_t signed_size = out.size() - kSignature;
  TRY_LET(Digest32 digest, owner_digest(kInitLabel, exporter, out.declassify().first(signed_size)));
  TRY_LET(P256Signature signature, owner.sign(digest));
  std::memcpy(out.space().data() + signed_size, signature.data(), kSignature);
  return out;
}

Status InitRequest::verify_owner(Bytes body, const Secret<32>& exporter) {
  Result<InitRequest> m = decode(body);
  if (!m.ok()) return fail(Code::owner_signature, "init.decode");
  TRY_LET(Digest32 digest, owner_digest(kInitLabel, exporter, body.first(body.size() - kSignature)));
  Bytes signature = m->signature;
  if (!verify_p256(m->owner_key, digest, signature.first(32), signature.skip(32)).ok()) {
    return fail(Code::owner_signature, "init.signature");
  }
  return success();
}

Result<InitProgress> InitProgress::decode(Bytes body) {
  Reader r(body);
  InitProgress m;
  TRY_LET(m.text, r.bytes16(kMaxProgress));
  TRY(r.finish());
  return m;
}

Result<Bytes> InitProgress::encode(MutBytes out) const {
  if (text.size() > kMaxProgress) return fail(Code::too_long, "init.progress");
  Writer w(out);
  w.bytes16(text);
  return w.finish();
}

Result<InitResponse> InitResponse::decode(Bytes body) {
  Reader r(body);
  InitResponse m;
  TRY_LET(m.cluster_id, r.fixed<32>());
  TRY_LET(m.disk, r.fixed<16>());
  TRY_LET(m.kubeconfig, r.bytes16(kMaxKubeconfig));
  TRY(r.finish());
  return m;
}

Result<SecretBuffer> InitResponse::encode() const {
  if (kubeconfig.size() > kMaxKubeconfig) return fail(Code::too_long, "init.kubeconfig");
  return write_secrets(cluster_id.size() + disk.size() + 2 + kubeconfig.size(), [&](Writer& w) {
    w.bytes(cluster_id);
    w.bytes(disk);
    w.bytes16(kubeconfig);
  });
}

Result<Digest32> owner_digest(std::string_view label, const Secret<32>& exporter, Bytes signed_fields) {
  TRY_LET(Digest32 fields, sha256({signed_fields}));
  return sha256({label, exporter.declassify(), fields});
}

}  // namespace cstl
