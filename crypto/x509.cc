#include "crypto/x509.h"

#include "crypto/mbedtls.h"

namespace cstl {

namespace {
constexpr size_t kMaxPoint = 97;  // P-384, uncompressed

Status parse_one(mbedtls_x509_crt* out, Bytes der) {
  if (der.size() > kMaxCertificate) return fail(Code::bad_certificate, "x509.size");
  Certificate probe;
  TRY(mbed_ok(mbedtls_x509_crt_parse_der(probe.get(), der.data(), der.size()), Code::bad_certificate, "x509.parse"));
  if (probe->raw.len != der.size()) return fail(Code::bad_certificate, "x509.trailing");
  return mbed_ok(mbedtls_x509_crt_parse_der(out, der.data(), der.size()), Code::bad_certificate, "x509.parse");
}

Bytes spki_of(const mbedtls_x509_crt& certificate) { return Bytes(certificate.pk_raw.p, certificate.pk_raw.len); }

Status export_ec(const mbedtls_pk_context& pk, PublicKey* out) {
  const mbedtls_ecp_keypair* pair = mbedtls_pk_ec(pk);
  switch (mbedtls_ecp_keypair_get_group_id(pair)) {
    case MBEDTLS_ECP_DP_SECP256R1: out->kind = KeyKind::p256; break;
    case MBEDTLS_ECP_DP_SECP384R1: out->kind = KeyKind::p384; break;
    default: return success();
  }
  out->point.resize(kMaxPoint);
  size_t size = 0;
  TRY(mbed_ok(mbedtls_ecp_write_public_key(pair, MBEDTLS_ECP_PF_UNCOMPRESSED, &size, out->point.data(),
                                           out->point.size()),
              Code::bad_certificate, "x509.point"));
  out->point.resize(size);
  return success();
}

Status export_rsa(const mbedtls_pk_context& pk, PublicKey* out) {
  const mbedtls_rsa_context* rsa = mbedtls_pk_rsa(pk);
  uint8_t exponent[4];
  out->kind = KeyKind::rsa;
  out->modulus.resize(mbedtls_rsa_get_len(rsa));
  TRY(mbed_ok(mbedtls_rsa_export_raw(rsa, out->modulus.data(), out->modulus.size(), nullptr, 0, nullptr, 0, nullptr, 0,
                                     exponent, sizeof exponent),
              Code::bad_certificate, "x509.rsa"));
  Reader reader(Bytes(exponent, sizeof exponent));
  TRY_LET(out->exponent, reader.u32());
  return success();
}

}  // namespace

Result<PublicKey> certificate_key(Bytes der) {
  TRY(crypto_start());
  Certificate certificate;
  TRY(parse_one(certificate.get(), der));
  PublicKey out;
  out.spki = spki_of(*certificate.get()).copy();
  switch (mbedtls_pk_get_type(&certificate->pk)) {
    case MBEDTLS_PK_ECKEY:
    case MBEDTLS_PK_ECKEY_DH:
    case MBEDTLS_PK_ECDSA: TRY(export_ec(certificate->pk, &out)); break;
    case MBEDTLS_PK_RSA: TRY(export_rsa(certificate->pk, &out)); break;
    default: break;
  }
  return out;
}

Result<Digest32> certificate_spki_hash(Bytes der) {
  TRY(crypto_start());
  Certificate certificate;
  TRY(parse_one(certificate.get(), der));
  return sha256({spki_of(*certificate.get())});
}

Result<std::vector<std::vector<uint8_t>>> certificates_from_file(Bytes contents) {
  TRY(crypto_start());
  Certificate list;
  if (contents.text().find("-----BEGIN CERTIFICATE-----") == std::string_view::npos) {
    TRY(parse_one(list.get(), contents));
  } else {
    std::string text(contents.text());  // mbedTLS takes PEM with its terminating zero
    TRY(mbed_ok(mbedtls_x509_crt_parse(list.get(), reinterpret_cast<const unsigned char*>(text.c_str()),
                                       text.size() + 1),
                Code::bad_certificate, "x509.pem"));
  }
  std::vector<std::vector<uint8_t>> out;
  for (const mbedtls_x509_crt* one = list.get(); one != nullptr; one = one->next) {
    if (one->raw.len > kMaxCertificate) return fail(Code::bad_certificate, "x509.size");
    out.emplace_back(one->raw.p, one->raw.p + one->raw.len);
  }
  return out;
}

}  // namespace cstl
