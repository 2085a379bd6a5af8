#include "attest/tpm/credential.h"

#include "attest/tpm/structures.h"
#include "crypto/hash.h"

namespace cstl::tpm {

Result<Bytes> default_ek_public(Bytes modulus, MutBytes out) {
  if (modulus.size() != kEkModulus) return fail(Code::unsupported, "ek.modulus");
  Writer w(out);
  w.u16(kAlgRsa);
  w.u16(kAlgSha256);
  w.u32(kEkAttributes);
  w.bytes16(kEkPolicy);
  w.u16(kAlgAes);
  w.u16(128);
  w.u16(kAlgCfb);
  w.u16(kAlgNull);
  w.u16(2048);
  w.u32(0);
  w.bytes16(modulus);
  return w.finish();
}

Status kdfa_sha256(Bytes key, std::string_view label, Bytes context_u, Bytes context_v, MutBytes out) {
  if (out.size() > 32) return fail(Code::too_long, "kdfa.size");
  std::array<uint8_t, 4> counter{0, 0, 0, 1};
  std::array<uint8_t, 1> zero{};
  uint32_t bits = static_cast<uint32_t>(out.size()) * 8;
  std::array<uint8_t, 4> size{0, 0, static_cast<uint8_t>(bits >> 8), static_cast<uint8_t>(bits)};
  TRY_LET(Digest32 block, hmac_sha256(key, {counter, label, zero, context_u, context_v, size}));
  std::memcpy(out.data(), block.data(), out.size());
  wipe(block);
  return success();
}

Result<std::vector<uint8_t>> make_credential(const PublicKey& ek, Bytes ak_name, Bytes challenge) {
  if (ek.kind != KeyKind::rsa || ek.modulus.size() != kEkModulus || ek.exponent != 65537) {
    return fail(Code::unsupported, "credential.ek");
  }
  if (challenge.empty() || challenge.size() > 32) return fail(Code::too_long, "credential.challenge");

  Secret<32> seed;
  TRY(random_bytes(seed.fill()));
  std::array<uint8_t, kEkModulus> encrypted_seed{};
  constexpr std::string_view kLabel("IDENTITY\0", 9);
  TRY(rsa_oaep_encrypt(ek.modulus, ek.exponent, kLabel, seed.declassify(), encrypted_seed));

  Secret<16> sym_key;
  TRY(kdfa_sha256(seed.declassify(), "STORAGE", ak_name, Bytes(), sym_key.fill()));
  Secret<32> hmac_key;
  TRY(kdfa_sha256(seed.declassify(), "INTEGRITY", Bytes(), Bytes(), hmac_key.fill()));

  std::array<uint8_t, 34> identity_space{};
  Writer identity_writer(identity_space);
  identity_writer.bytes16(challenge);
  TRY_LET(Bytes plain, identity_writer.finish());
  MutBytes identity(identity_space.data(), plain.size());
  TRY(aes128_cfb_encrypt(sym_key, identity));
  TRY_LET(Digest32 integrity, hmac_sha256(hmac_key.declassify(), {identity, ak_name}));

  std::vector<uint8_t> out(kMaxCredential);
  Writer w(out);
  w.u16(static_cast<uint16_t>(2 + integrity.size() + identity.size()));
  w.bytes16(integrity);
  w.bytes(identity);
  w.bytes16(encrypted_seed);
  TRY_LET(Bytes done, w.finish());
  out.resize(done.size());
  return out;
}

}  // namespace cstl::tpm
