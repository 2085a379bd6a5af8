#include "crypto/sign.h"

#include <mbedtls/aes.h>
#include <mbedtls/ecdsa.h>

#include "crypto/der.h"
#include "crypto/mbedtls.h"
#include "crypto/verify_backend.h"

namespace cstl {

const VerifyBackend* verify_backend = nullptr;

namespace {
using Aes = Pinned<mbedtls_aes_context, mbedtls_aes_init, mbedtls_aes_free>;

constexpr size_t kScalar = 32;
constexpr uint32_t kRsaExponent = 65537;
constexpr std::array<uint8_t, 3> kExponentBytes{1, 0, 1};
constexpr std::array<uint8_t, 1> kOne{1};
constexpr size_t kMinRsa = 2048 / 8;
constexpr size_t kMaxRsa = 4096 / 8;

Status load_p256(EcpGroup& group) {
  return mbed_ok(mbedtls_ecp_group_load(group.get(), MBEDTLS_ECP_DP_SECP256R1), Code::crypto_failed, "p256.group");
}

Status check_rsa(Bytes modulus, uint32_t exponent) {
  if (modulus.size() < kMinRsa || modulus.size() > kMaxRsa) return fail(Code::bad_key, "rsa.modulus_size");
  if ((modulus[0] & 0x80) == 0 || (modulus[modulus.size() - 1] & 1) == 0) return fail(Code::bad_key, "rsa.modulus");
  if (exponent != kRsaExponent) return fail(Code::bad_key, "rsa.exponent");
  return success();
}

// `exponent` big endian.
Status import_rsa(Rsa& rsa, Bytes modulus, Bytes exponent) {
  TRY(mbed_ok(mbedtls_rsa_import_raw(rsa.get(), modulus.data(), modulus.size(), nullptr, 0, nullptr, 0, nullptr, 0,
                                     exponent.data(), exponent.size()),
              Code::bad_key, "rsa.import"));
  return mbed_ok(mbedtls_rsa_complete(rsa.get()), Code::bad_key, "rsa.complete");
}

Status load_rsa(Rsa& rsa, Bytes modulus, uint32_t exponent) {
  TRY(check_rsa(modulus, exponent));
  TRY(import_rsa(rsa, modulus, kExponentBytes));
  return mbed_ok(mbedtls_rsa_check_pubkey(rsa.get()), Code::bad_key, "rsa.check");
}

// For the padding of a number that is raised to the power already: with the exponent 1 mbedTLS takes it as it is, and of
// the modulus only the length counts. So one of all ones, above every modulus of that length, serves every key; what
// mbedTLS computes of a modulus, which takes longer than the rest, is computed once.
Result<mbedtls_rsa_context*> padding_only(size_t size) {
  thread_local Rsa rsa;
  if (mbedtls_rsa_get_len(rsa.get()) == size) return rsa.get();
  std::array<uint8_t, kMaxRsa> ones;
  ones.fill(0xff);
  mbedtls_rsa_free(rsa.get());
  mbedtls_rsa_init(rsa.get());
  if (Status made = import_rsa(rsa, Bytes(ones).first(size), kOne); !made.ok()) {
    mbedtls_rsa_free(rsa.get());
    mbedtls_rsa_init(rsa.get());
    return made.error();
  }
  return rsa.get();
}
}  // namespace

Result<SigningKey> SigningKey::generate() {
  TRY(crypto_start());
  EcpGroup group;
  TRY(load_p256(group));
  Mpi d;
  TRY(mbed_ok(mbedtls_ecp_gen_privkey(group.get(), d.get(), random_callback, nullptr), Code::crypto_failed,
              "signing_key.generate"));
  Secret<32> scalar;
  TRY(mbed_ok(mbedtls_mpi_write_binary(d.get(), scalar.fill().data(), kScalar), Code::crypto_failed,
              "signing_key.write"));
  return from_scalar(scalar);
}

Result<SigningKey> SigningKey::from_scalar(const Secret<32>& scalar) {
  TRY(crypto_start());
  EcpGroup group;
  TRY(load_p256(group));
  Mpi d;
  EcpPoint q;
  TRY(mbed_ok(mbedtls_mpi_read_binary(d.get(), scalar.declassify().data(), kScalar), Code::crypto_failed,
              "signing_key.read"));
  TRY(mbed_ok(mbedtls_ecp_check_privkey(group.get(), d.get()), Code::bad_key, "signing_key.scalar"));
  TRY(mbed_ok(mbedtls_ecp_mul(group.get(), q.get(), d.get(), &group->G, random_callback, nullptr), Code::crypto_failed,
              "signing_key.point"));
  SigningKey key;
  size_t size = 0;
  TRY(mbed_ok(mbedtls_ecp_point_write_binary(group.get(), q.get(), MBEDTLS_ECP_PF_UNCOMPRESSED, &size,
                                             key.point_.data(), key.point_.size()),
              Code::crypto_failed, "signing_key.point"));
  key.scalar_ = scalar.clone();
  return key;
}

// Deterministic nonces (RFC 6979): a weak random source cannot leak the key.
Result<P256Signature> SigningKey::sign(const Digest32& digest) const {
  TRY(crypto_start());
  EcpGroup group;
  TRY(load_p256(group));
  Mpi d;
  Mpi r;
  Mpi s;
  TRY(mbed_ok(mbedtls_mpi_read_binary(d.get(), scalar_.declassify().data(), kScalar), Code::crypto_failed, "sign.key"));
  TRY(mbed_ok(mbedtls_ecdsa_sign_det_ext(group.get(), r.get(), s.get(), d.get(), digest.data(), digest.size(),
                                         MBEDTLS_MD_SHA256, random_callback, nullptr),
              Code::crypto_failed, "sign.ecdsa"));
  P256Signature out;
  TRY(mbed_ok(mbedtls_mpi_write_binary(r.get(), out.data(), kScalar), Code::crypto_failed, "sign.r"));
  TRY(mbed_ok(mbedtls_mpi_write_binary(s.get(), out.data() + kScalar, kScalar), Code::crypto_failed, "sign.s"));
  return out;
}

namespace {
Result<mbedtls_md_type_t> md_of(Bytes digest) {
  switch (digest.size()) {
    case 32: return MBEDTLS_MD_SHA256;
    case 48: return MBEDTLS_MD_SHA384;
    case 64: return MBEDTLS_MD_SHA512;
    default: return fail(Code::bad_value, "verify.digest_size");
  }
}

Status verify_ecdsa(mbedtls_ecp_group_id curve, Bytes point, Bytes digest, Bytes r, Bytes s) {
  TRY(crypto_start());
  TRY(md_of(digest));
  size_t scalar = point.size() / 2;
  if (point[0] != 0x04) return fail(Code::bad_key, "ecdsa.form");
  bool sized = !r.empty() && r.size() <= scalar && !s.empty() && s.size() <= scalar;
  if (verify_backend != nullptr && sized) return verify_backend->ecdsa(point, digest, r, s);
  EcpGroup group;
  TRY(mbed_ok(mbedtls_ecp_group_load(group.get(), curve), Code::crypto_failed, "ecdsa.group"));
  EcpPoint q;
  TRY(mbed_ok(mbedtls_ecp_point_read_binary(group.get(), q.get(), point.data(), point.size()), Code::bad_key,
              "ecdsa.point"));
  TRY(mbed_ok(mbedtls_ecp_check_pubkey(group.get(), q.get()), Code::bad_key, "ecdsa.point"));
  if (!sized) return fail(Code::bad_signature, "ecdsa.size");
  Mpi mpi_r;
  Mpi mpi_s;
  TRY(mbed_ok(mbedtls_mpi_read_binary(mpi_r.get(), r.data(), r.size()), Code::crypto_failed, "ecdsa.r"));
  TRY(mbed_ok(mbedtls_mpi_read_binary(mpi_s.get(), s.data(), s.size()), Code::crypto_failed, "ecdsa.s"));
  return mbed_ok(mbedtls_ecdsa_verify(group.get(), digest.data(), digest.size(), q.get(), mpi_r.get(), mpi_s.get()),
                 Code::bad_signature, "ecdsa.verify");
}
}  // namespace

Status verify_p256(const P256Point& key, Bytes digest, Bytes r, Bytes s) {
  return verify_ecdsa(MBEDTLS_ECP_DP_SECP256R1, key, digest, r, s);
}

Status verify_p384(const P384Point& key, Bytes digest, Bytes r, Bytes s) {
  return verify_ecdsa(MBEDTLS_ECP_DP_SECP384R1, key, digest, r, s);
}

Status verify_ecdsa_der(Bytes point, Bytes digest, Bytes signature) {
  bool p256 = point.size() == sizeof(P256Point);
  if (!p256 && point.size() != sizeof(P384Point)) return fail(Code::bad_key, "ecdsa.curve");
  size_t scalar = point.size() / 2;
  DerReader outer(signature, Code::bad_signature);
  TRY_LET(DerReader pair, outer.enter(der::kSequence, "ecdsa.sequence"));
  TRY(outer.finish("ecdsa.trailing"));
  TRY_LET(Bytes r, pair.take_unsigned(scalar, "ecdsa.r"));
  TRY_LET(Bytes s, pair.take_unsigned(scalar, "ecdsa.s"));
  TRY(pair.finish("ecdsa.trailing"));
  return verify_ecdsa(p256 ? MBEDTLS_ECP_DP_SECP256R1 : MBEDTLS_ECP_DP_SECP384R1, point, digest, r, s);
}

Status verify_rsa(Bytes modulus, uint32_t exponent, RsaPadding padding, Bytes digest, Bytes signature, int salt) {
  TRY(crypto_start());
  TRY_LET(mbedtls_md_type_t md, md_of(digest));
  Rsa own;
  mbedtls_rsa_context* rsa = own.get();
  std::array<uint8_t, kMaxRsa> power;
  if (verify_backend != nullptr) {
    TRY(check_rsa(modulus, exponent));
    if (signature.size() != modulus.size()) return fail(Code::bad_signature, "rsa.size");
    TRY(verify_backend->rsa_public(modulus, signature, MutBytes(power.data(), modulus.size())));
    signature = Bytes(power).first(modulus.size());
    TRY_LET(rsa, padding_only(modulus.size()));
  } else {
    TRY(load_rsa(own, modulus, exponent));
    if (signature.size() != modulus.size()) return fail(Code::bad_signature, "rsa.size");
  }
  auto size = static_cast<unsigned>(digest.size());
  if (padding == RsaPadding::pkcs1_v15) {
    return mbed_ok(mbedtls_rsa_rsassa_pkcs1_v15_verify(rsa, md, size, digest.data(), signature.data()),
                   Code::bad_signature, "rsa.pkcs1_v15");
  }
  TRY(mbed_ok(mbedtls_rsa_set_padding(rsa, MBEDTLS_RSA_PKCS_V21, md), Code::crypto_failed, "rsa.padding"));
  return mbed_ok(mbedtls_rsa_rsassa_pss_verify_ext(rsa, md, size, digest.data(), md,
                                                   salt == kAnySalt ? MBEDTLS_RSA_SALT_LEN_ANY : salt, signature.data()),
                 Code::bad_signature, "rsa.pss");
}

Status rsa_oaep_encrypt(Bytes modulus, uint32_t exponent, Bytes label, Bytes plain, MutBytes out) {
  TRY(crypto_start());
  Rsa rsa;
  TRY(load_rsa(rsa, modulus, exponent));
  if (out.size() != modulus.size()) return fail(Code::crypto_failed, "oaep.size");
  TRY(mbed_ok(mbedtls_rsa_set_padding(rsa.get(), MBEDTLS_RSA_PKCS_V21, MBEDTLS_MD_SHA256), Code::crypto_failed,
              "oaep.padding"));
  return mbed_ok(mbedtls_rsa_rsaes_oaep_encrypt(rsa.get(), random_callback, nullptr, label.data(), label.size(),
                                                plain.size(), plain.data(), out.data()),
                 Code::crypto_failed, "oaep.encrypt");
}

Status aes128_cfb_encrypt(const Secret<16>& key, MutBytes data) {
  Aes aes;
  TRY(mbed_ok(mbedtls_aes_setkey_enc(aes.get(), key.declassify().data(), 128), Code::crypto_failed, "aes_cfb.key"));
  size_t offset = 0;
  unsigned char iv[16] = {};
  return mbed_ok(mbedtls_aes_crypt_cfb128(aes.get(), MBEDTLS_AES_ENCRYPT, data.size(), &offset, iv, data.data(),
                                          data.data()),
                 Code::crypto_failed, "aes_cfb.encrypt");
}

}  // namespace cstl
