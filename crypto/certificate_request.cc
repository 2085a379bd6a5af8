#include "crypto/certificate_request.h"

#include <mbedtls/pk.h>
#include <mbedtls/x509_csr.h>

#include "crypto/mbedtls.h"

namespace cstl {

namespace {
using RequestWriter = Pinned<mbedtls_x509write_csr, mbedtls_x509write_csr_init, mbedtls_x509write_csr_free>;
constexpr size_t kMaxRequest = 1024;
constexpr size_t kMaxKeyPem = 512;
constexpr size_t kMaxPart = 64;  // ub-common-name, ub-organization-name of RFC 5280

Status load(const SigningKey& key, Pk& out) {
  TRY(mbed_ok(mbedtls_pk_setup(out.get(), mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)), Code::crypto_failed, "request.key"));
  mbedtls_ecp_keypair* pair = mbedtls_pk_ec(*out.get());
  Bytes scalar = key.scalar().declassify();
  TRY(mbed_ok(mbedtls_ecp_read_key(MBEDTLS_ECP_DP_SECP256R1, pair, scalar.data(), scalar.size()), Code::crypto_failed,
              "request.key"));
  return mbed_ok(mbedtls_ecp_keypair_calc_public(pair, random_callback, nullptr), Code::crypto_failed, "request.key");
}

bool plain(std::string_view text) {
  if (text.empty() || text.size() > kMaxPart) return false;
  for (char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!letter && c != ':' && c != '.' && c != '-') return false;
  }
  return true;
}
}  // namespace

Result<std::vector<uint8_t>> make_certificate_request(const SigningKey& key, std::string_view organization,
                                                      std::string_view common_name) {
  if (!plain(organization) || !plain(common_name)) return fail(Code::bad_value, "request.subject");
  TRY(crypto_start());
  Pk pk;
  TRY(load(key, pk));
  RequestWriter writer;
  std::string subject = "O=" + std::string(organization) + ",CN=" + std::string(common_name);
  TRY(mbed_ok(mbedtls_x509write_csr_set_subject_name(writer.get(), subject.c_str()), Code::crypto_failed, "request.subject"));
  mbedtls_x509write_csr_set_key(writer.get(), pk.get());
  mbedtls_x509write_csr_set_md_alg(writer.get(), MBEDTLS_MD_SHA256);
  uint8_t der[kMaxRequest];
  int size = mbedtls_x509write_csr_der(writer.get(), der, sizeof der, random_callback, nullptr);
  if (size < 0) return fail(Code::crypto_failed, "request.write", Origin::mbedtls, size);
  // mbedTLS writes DER backwards, to the end of the buffer.
  return std::vector<uint8_t>(der + sizeof der - size, der + sizeof der);
}

Result<SecretBuffer> private_key_pem(const SigningKey& key) {
  TRY(crypto_start());
  Pk pk;
  TRY(load(key, pk));
  SecretBuffer whole(kMaxKeyPem);
  TRY(mbed_ok(mbedtls_pk_write_key_pem(pk.get(), whole.space().data(), whole.size()), Code::crypto_failed, "key.pem"));
  size_t size = strnlen(reinterpret_cast<const char*>(whole.space().data()), whole.size());
  SecretBuffer out(size);
  std::memcpy(out.space().data(), whole.space().data(), size);
  return out;
}

}  // namespace cstl
