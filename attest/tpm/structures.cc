#include "attest/tpm/structures.h"

#include "crypto/hash.h"

namespace cstl::tpm {

namespace {
constexpr size_t kMaxDigest = 64;          // SHA-512 is the longest hash of the specification
constexpr size_t kMaxName = 2 + kMaxDigest;
constexpr size_t kMaxRsa = 512;            // RSA-4096
constexpr uint16_t kAlgRsaes = 0x0015, kAlgOaep = 0x0017, kAlgEcdh = 0x0019;

bool is_attest_type(uint16_t type) { return type >= 0x8014 && type <= 0x801c && type != 0x801b; }
}  // namespace

Result<Attest> Attest::decode(Bytes input) {
  if (input.size() > kMaxQuote) return fail(Code::too_long, "quote.size");
  Reader r(input);
  Attest a;
  TRY_LET(a.magic, r.u32());
  TRY_LET(a.type, r.u16());
  if (!is_attest_type(a.type)) return fail(Code::quote_type, "quote.type");
  TRY_LET(a.qualified_signer, r.bytes16(kMaxName));
  TRY_LET(a.extra_data, r.bytes16(kMaxName));
  TRY_LET(a.clock, r.u64());
  TRY_LET(a.reset_count, r.u32());
  TRY_LET(a.restart_count, r.u32());
  TRY_LET(a.safe, r.u8());
  if (a.safe > 1) return fail(Code::bad_value, "quote.safe");
  TRY_LET(a.firmware_version, r.u64());
  if (a.type != kAttestQuote) return a;  // the attested part of other types is of no use here

  TRY_LET(uint32_t banks, r.u32());
  if (banks != 1) return fail(Code::bad_value, "quote.banks");
  TRY_LET(a.pcr_algorithm, r.u16());
  TRY_LET(uint8_t select_size, r.u8());
  if (select_size != 3 && select_size != 4) return fail(Code::bad_value, "quote.select_size");
  for (unsigned i = 0; i < select_size; ++i) {
    TRY_LET(uint8_t bits, r.u8());
    a.pcr_mask |= static_cast<uint32_t>(bits) << (8 * i);
  }
  TRY_LET(a.pcr_digest, r.bytes16(kMaxDigest));
  TRY(r.finish());
  return a;
}

Result<Signature> Signature::decode(Bytes input) {
  if (input.size() > kMaxTpmSignature) return fail(Code::too_long, "signature.size");
  Reader reader(input);
  Signature out;
  TRY_LET(out.algorithm, reader.u16());
  bool is_rsa = out.algorithm == kAlgRsassa || out.algorithm == kAlgRsapss;
  if (!is_rsa && out.algorithm != kAlgEcdsa) return fail(Code::unsupported, "signature.algorithm");
  TRY_LET(out.hash, reader.u16());
  if (out.hash != kAlgSha256) return fail(Code::unsupported, "signature.hash");
  if (is_rsa) {
    TRY_LET(out.rsa, reader.bytes16(kMaxRsa));
  } else {
    TRY_LET(out.r, reader.bytes16(32));
    TRY_LET(out.s, reader.bytes16(32));
  }
  TRY(reader.finish());
  return out;
}

Result<Public> Public::decode(Bytes input) {
  if (input.size() > kMaxTpmPublic) return fail(Code::too_long, "public.size");
  Reader r(input);
  Public p;
  TRY_LET(p.type, r.u16());
  if (p.type != kAlgRsa && p.type != kAlgEcc) return fail(Code::unsupported, "public.type");
  TRY_LET(p.name_algorithm, r.u16());
  TRY_LET(p.attributes, r.u32());
  TRY_LET(p.policy, r.bytes16(kMaxDigest));

  TRY_LET(p.symmetric, r.u16());
  if (p.symmetric != kAlgNull) {
    if (p.symmetric != kAlgAes) return fail(Code::unsupported, "public.symmetric");
    TRY_LET(p.symmetric_bits, r.u16());
    TRY_LET(p.symmetric_mode, r.u16());
  }
  TRY_LET(p.scheme, r.u16());
  bool rsa_scheme = p.scheme == kAlgRsassa || p.scheme == kAlgRsapss || p.scheme == kAlgOaep;
  bool ecc_scheme = p.scheme == kAlgEcdsa || p.scheme == kAlgEcdh;
  if (p.type == kAlgRsa ? rsa_scheme : ecc_scheme) {
    TRY_LET(p.scheme_hash, r.u16());
  } else if (p.scheme != kAlgNull && !(p.type == kAlgRsa && p.scheme == kAlgRsaes)) {
    return fail(Code::unsupported, "public.scheme");
  }

  if (p.type == kAlgRsa) {
    TRY_LET(p.rsa_bits, r.u16());
    TRY_LET(p.rsa_exponent, r.u32());
    if (p.rsa_exponent == 0) p.rsa_exponent = 65537;
    TRY_LET(p.rsa_modulus, r.bytes16(kMaxRsa));
    if (p.rsa_bits % 8 != 0 || p.rsa_modulus.size() != p.rsa_bits / 8u) return fail(Code::bad_value, "public.modulus");
  } else {
    TRY_LET(p.curve, r.u16());
    if (p.curve != kCurveP256) return fail(Code::unsupported, "public.curve");
    TRY_LET(uint16_t kdf, r.u16());
    if (kdf != kAlgNull) return fail(Code::unsupported, "public.kdf");
    TRY_LET(p.ecc_x, r.bytes16(32));
    TRY_LET(p.ecc_y, r.bytes16(32));
  }
  TRY(r.finish());
  return p;
}

Result<std::array<uint8_t, 34>> name_of(Bytes public_area) {
  Reader r(public_area);
  TRY_LET(uint16_t type, r.u16());
  (void)type;  // any: the name covers it
  TRY_LET(uint16_t algorithm, r.u16());
  if (algorithm != kAlgSha256) return fail(Code::unsupported, "public.name_algorithm");
  TRY_LET(Digest32 digest, sha256({public_area}));
  std::array<uint8_t, 34> name{kAlgSha256 >> 8, kAlgSha256 & 0xff};
  std::memcpy(name.data() + 2, digest.data(), digest.size());
  return name;
}

}  // namespace cstl::tpm
