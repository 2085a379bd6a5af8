#include "crypto/public_key.h"

#include "crypto/verified_signatures.h"

namespace cstl {

namespace {
constexpr size_t kMaxModulus = 4096 / 8;

constexpr std::array<uint8_t, 7> kEcPublicKey{0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01};
constexpr std::array<uint8_t, 8> kP256Oid{0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
constexpr std::array<uint8_t, 5> kP384Oid{0x2b, 0x81, 0x04, 0x00, 0x22};
constexpr std::array<uint8_t, 7> kEcdsaWithSha2{0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03};       // then 2, 3, 4
constexpr std::array<uint8_t, 8> kPkcs1{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01};         // then 1, 8, 10 to 13
constexpr std::array<uint8_t, 8> kSha2{0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02};          // then 1, 2, 3
constexpr uint8_t kRsaEncryption = 1, kMgf1 = 8, kRsaPss = 10, kSha256WithRsa = 11;

// The arc below `base`, or 0.
template <size_t N>
uint8_t arc_below(Bytes oid, const std::array<uint8_t, N>& base) {
  return oid.size() == N + 1 && equal(oid.first(N), base) ? oid[N] : uint8_t{0};
}

// Parameters that are absent or NULL.
Status no_parameters(DerReader* reader, const char* site) {
  if (!reader->empty()) {
    TRY_LET(Bytes null, reader->take(der::kNull, site));
    if (!null.empty()) return DerReader(null, reader->refusal()).finish(site);
  }
  return reader->finish(site);
}

Result<HashKind> take_hash(DerReader* outer) {
  TRY_LET(DerReader hash, outer->enter(der::kSequence, "algorithm.hash"));
  TRY_LET(Bytes oid, hash.take(der::kOid, "algorithm.hash"));
  TRY(no_parameters(&hash, "algorithm.hash"));
  switch (arc_below(oid, kSha2)) {
    case 1: return HashKind::sha256;
    case 2: return HashKind::sha384;
    case 3: return HashKind::sha512;
    default: return fail(outer->refusal(), "algorithm.hash_kind");
  }
}

// RSASSA-PSS-params: hash [0], mask [1], salt [2], trailer [3] DEFAULT 1; the others' defaults stand for SHA-1.
Result<SignatureAlgorithm> take_pss(DerReader* outer) {
  SignatureAlgorithm out;
  out.scheme = SignatureScheme::rsa_pss;
  TRY_LET(DerReader all, outer->enter(der::kSequence, "algorithm.pss"));
  TRY(outer->finish("algorithm.pss"));
  TRY_LET(DerReader hash, all.enter(der::constructed_context(0), "algorithm.pss_hash"));
  TRY_LET(out.hash, take_hash(&hash));
  TRY(hash.finish("algorithm.pss_hash"));
  TRY_LET(DerReader mask, all.enter(der::constructed_context(1), "algorithm.pss_mask"));
  TRY_LET(DerReader mgf, mask.enter(der::kSequence, "algorithm.pss_mask"));
  TRY(mask.finish("algorithm.pss_mask"));
  TRY_LET(Bytes mgf_oid, mgf.take(der::kOid, "algorithm.pss_mask"));
  TRY_LET(HashKind mgf_hash, take_hash(&mgf));
  TRY(mgf.finish("algorithm.pss_mask"));
  if (arc_below(mgf_oid, kPkcs1) != kMgf1 || mgf_hash != out.hash) {
    return fail(outer->refusal(), "algorithm.pss_mask");
  }
  TRY_LET(DerReader salt, all.enter(der::constructed_context(2), "algorithm.pss_salt"));
  TRY_LET(uint32_t size, salt.take_u32("algorithm.pss_salt"));
  TRY(salt.finish("algorithm.pss_salt"));
  if (size > kMaxModulus) return fail(outer->refusal(), "algorithm.pss_salt");
  out.salt = static_cast<int>(size);
  if (!all.empty()) {  // some write the default, against DER
    TRY_LET(DerReader trailer, all.enter(der::constructed_context(3), "algorithm.pss_trailer"));
    TRY_LET(uint32_t field, trailer.take_u32("algorithm.pss_trailer"));
    TRY(trailer.finish("algorithm.pss_trailer"));
    if (field != 1) return fail(outer->refusal(), "algorithm.pss_trailer");
  }
  TRY(all.finish("algorithm.pss"));
  return out;
}
}  // namespace

Result<PublicKey> parse_public_key(Bytes spki) {
  PublicKey out;
  DerReader file(spki, Code::bad_key);
  TRY_LET(DerReader info, file.enter(der::kSequence, "key.spki"));
  TRY(file.finish("key.trailing"));
  TRY_LET(DerReader algorithm, info.enter(der::kSequence, "key.algorithm"));
  TRY_LET(Bytes oid, algorithm.take(der::kOid, "key.algorithm"));
  TRY_LET(Bytes bits, info.take_bits("key.bits"));
  TRY(info.finish("key.spki_more"));
  out.spki = spki.copy();
  if (equal(oid, kEcPublicKey)) {
    TRY_LET(Bytes curve, algorithm.take(der::kOid, "key.curve"));
    TRY(algorithm.finish("key.curve"));
    out.kind = equal(curve, kP256Oid) ? KeyKind::p256 : equal(curve, kP384Oid) ? KeyKind::p384 : KeyKind::other;
    if (out.kind == KeyKind::other) return fail(Code::bad_key, "key.curve");
    if (bits.size() != (out.kind == KeyKind::p256 ? sizeof(P256Point) : sizeof(P384Point)) || bits[0] != 0x04) {
      return fail(Code::bad_key, "key.point");
    }
    out.point = bits.copy();
    return out;
  }
  if (arc_below(oid, kPkcs1) != kRsaEncryption) return fail(Code::bad_key, "key.kind");
  TRY(no_parameters(&algorithm, "key.rsa_parameters"));
  out.kind = KeyKind::rsa;
  DerReader key(bits, Code::bad_key);
  TRY_LET(DerReader pair, key.enter(der::kSequence, "key.rsa"));
  TRY(key.finish("key.rsa"));
  TRY_LET(Bytes modulus, pair.take_unsigned(kMaxModulus, "key.rsa_modulus"));
  TRY_LET(out.exponent, pair.take_u32("key.rsa_exponent"));
  TRY(pair.finish("key.rsa"));
  out.modulus = modulus.copy();
  return out;
}

Result<SignatureAlgorithm> parse_signature_algorithm(Bytes content, Code refusal) {
  SignatureAlgorithm out;
  DerReader reader(content, refusal);
  TRY_LET(Bytes oid, reader.take(der::kOid, "algorithm.oid"));
  constexpr HashKind kHashes[] = {HashKind::sha256, HashKind::sha384, HashKind::sha512};
  if (uint8_t arc = arc_below(oid, kEcdsaWithSha2); arc >= 2 && arc <= 4) {
    TRY(reader.finish("algorithm.parameters"));  // absent (RFC 5758, 3.2)
    out.hash = kHashes[arc - 2];
    return out;
  }
  uint8_t arc = arc_below(oid, kPkcs1);
  if (arc == kRsaPss) return take_pss(&reader);
  if (arc < kSha256WithRsa || arc > kSha256WithRsa + 2) return fail(refusal, "algorithm.kind");
  TRY(no_parameters(&reader, "algorithm.parameters"));
  out.scheme = SignatureScheme::rsa_pkcs1_v15;
  out.hash = kHashes[arc - kSha256WithRsa];
  return out;
}

Status verify_signature(const PublicKey& key, const SignatureAlgorithm& algorithm, Bytes message, Bytes signature) {
  TRY_LET(Digest digest, Hash::of(algorithm.hash, {message}));
  VerifiedSignatures& memory = VerifiedSignatures::of_this_thread();
  if (memory.contains(key, algorithm, digest, signature)) return success();
  if (algorithm.scheme == SignatureScheme::ecdsa) {
    if (key.kind != KeyKind::p256 && key.kind != KeyKind::p384) return fail(Code::bad_key, "signature.key_kind");
    TRY(verify_ecdsa_der(key.point, digest, signature));
  } else {
    if (key.kind != KeyKind::rsa) return fail(Code::bad_key, "signature.key_kind");
    RsaPadding padding = algorithm.scheme == SignatureScheme::rsa_pss ? RsaPadding::pss : RsaPadding::pkcs1_v15;
    TRY(verify_rsa(key.modulus, key.exponent, padding, digest, signature, algorithm.salt));
  }
  memory.add(key, algorithm, digest, signature);
  return success();
}

}  // namespace cstl
