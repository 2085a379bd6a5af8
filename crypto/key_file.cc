#include "crypto/key_file.h"

#include <mbedtls/pk.h>

#include "crypto/base/base64.h"
#include "crypto/mbedtls.h"
#include "crypto/pem.h"

namespace cstl {

namespace {
// SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING of 66 bytes (RFC 5480, 2).
constexpr std::array<uint8_t, 26> kP256SpkiHead = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                                   0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                                   0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};
constexpr size_t kPemLine = 64;
constexpr size_t kMaxPrivatePem = 512;

void put_integer(std::vector<uint8_t>& out, Bytes value) {
  while (value.size() > 1 && value[0] == 0) value = value.skip(1);
  bool sign = (value[0] & 0x80) != 0;
  out.push_back(der::kInteger);
  out.push_back(static_cast<uint8_t>(value.size() + (sign ? 1 : 0)));
  if (sign) out.push_back(0);
  out.insert(out.end(), value.begin(), value.end());
}
}  // namespace

Result<SigningKey> signing_key_from_pem(Bytes pem) {
  TRY(crypto_start());
  if (pem.size() > kMaxKeyFile) return fail(Code::bad_key, "key_file.size");
  SecretBuffer text(pem.size() + 1);  // mbedTLS wants the terminating zero
  if (!pem.empty()) std::memcpy(text.space().data(), pem.data(), pem.size());
  Pk key;
  TRY(mbed_ok(mbedtls_pk_parse_key(key.get(), text.space().data(), text.size(), nullptr, 0, random_callback, nullptr),
              Code::bad_key, "key_file.parse"));
  if (!mbedtls_pk_can_do(key.get(), MBEDTLS_PK_ECDSA)) return fail(Code::bad_key, "key_file.kind");
  const mbedtls_ecp_keypair* pair = mbedtls_pk_ec(*key.get());
  EcpGroup group;
  Mpi scalar;
  EcpPoint point;
  TRY(mbed_ok(mbedtls_ecp_export(pair, group.get(), scalar.get(), point.get()), Code::bad_key, "key_file.export"));
  if (group->id != MBEDTLS_ECP_DP_SECP256R1) return fail(Code::bad_key, "key_file.curve");
  Secret<32> out;
  TRY(mbed_ok(mbedtls_mpi_write_binary(scalar.get(), out.fill().data(), out.size()), Code::bad_key, "key_file.scalar"));
  return SigningKey::from_scalar(out);
}

Result<PublicKey> p256_key_from_pem(Bytes pem) {
  if (pem.size() > kMaxKeyFile) return fail(Code::bad_key, "key_file.size");
  Result<std::vector<uint8_t>> spki = pem_block(pem, "PUBLIC KEY");
  if (!spki.ok()) return fail(Code::bad_key, "key_file.pem");
  TRY_LET(PublicKey key, parse_public_key(*spki));
  if (key.kind != KeyKind::p256) return fail(Code::bad_key, "key_file.curve");
  return key;
}

std::vector<uint8_t> p256_spki(const P256Point& point) {
  std::vector<uint8_t> out(kP256SpkiHead.begin(), kP256SpkiHead.end());
  out.insert(out.end(), point.begin(), point.end());
  return out;
}

std::string public_key_pem(const P256Point& point) {
  std::string text = to_base64(p256_spki(point));
  std::string out = "-----BEGIN PUBLIC KEY-----\n";
  for (size_t at = 0; at < text.size(); at += kPemLine) out += text.substr(at, kPemLine) + "\n";
  return out + "-----END PUBLIC KEY-----\n";
}

Result<SecretBuffer> signing_key_pem(const SigningKey& key) {
  TRY(crypto_start());
  Pk pair;
  TRY(mbed_ok(mbedtls_pk_setup(pair.get(), mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)), Code::crypto_failed,
              "key_file.setup"));
  mbedtls_ecp_keypair* ec = mbedtls_pk_ec(*pair.get());
  TRY(mbed_ok(mbedtls_ecp_read_key(MBEDTLS_ECP_DP_SECP256R1, ec, key.scalar().declassify().data(), key.scalar().size()),
              Code::crypto_failed, "key_file.read"));
  TRY(mbed_ok(mbedtls_ecp_keypair_calc_public(ec, random_callback, nullptr), Code::crypto_failed, "key_file.public"));
  SecretBuffer out(kMaxPrivatePem);
  TRY(mbed_ok(mbedtls_pk_write_key_pem(pair.get(), out.space().data(), out.size()), Code::crypto_failed,
              "key_file.write"));
  return out;
}

std::vector<uint8_t> ecdsa_der(const P256Signature& signature) {
  std::vector<uint8_t> body;
  put_integer(body, Bytes(signature).first(32));
  put_integer(body, Bytes(signature).skip(32));
  std::vector<uint8_t> out = {der::kSequence, static_cast<uint8_t>(body.size())};
  out.insert(out.end(), body.begin(), body.end());
  return out;
}

}  // namespace cstl
