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

// What the callback of mbedTLS's verification needs and finds.
struct Path {
  int64_t now = 0;
  std::array<Bytes, kMaxChain> certificates;  // leaf first; borrowed from mbedTLS's copies
  size_t size = 0;
};

// mbedTLS judges validity by the system's clock; here the caller's clock counts, or none.
int use_callers_clock(void* context, mbedtls_x509_crt* certificate, int depth, uint32_t* flags) {
  auto path = static_cast<Path*>(context);
  auto place = static_cast<size_t>(depth);
  if (place >= path->certificates.size()) return MBEDTLS_ERR_X509_FATAL_ERROR;
  path->certificates[place] = Bytes(certificate->raw.p, certificate->raw.len);
  if (path->size <= place) path->size = place + 1;
  *flags &= ~static_cast<uint32_t>(MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE);
  if (path->now == 0) return 0;
  mbedtls_x509_time time;
  if (mbedtls_x509_time_gmtime(path->now, &time) != 0) return MBEDTLS_ERR_X509_FATAL_ERROR;
  if (mbedtls_x509_time_cmp(&certificate->valid_to, &time) < 0) *flags |= MBEDTLS_X509_BADCERT_EXPIRED;
  if (mbedtls_x509_time_cmp(&certificate->valid_from, &time) > 0) *flags |= MBEDTLS_X509_BADCERT_FUTURE;
  return 0;
}

// What the CRLs say of one certificate of the path.
Status check_revocation(Bytes der, Bytes issuer, const std::vector<Crl>& crls, bool demanded, int64_t now) {
  TRY_LET(CertificateView certificate, CertificateView::parse(der));
  bool found = false;
  bool current = false;
  Status time = success();
  for (const Crl& crl : crls) {
    if (!equal(crl.issuer(), certificate.issuer)) continue;
    found = true;
    TRY(crl.verify_signature(issuer));
    if (crl.lists(certificate.serial)) return fail(Code::certificate_revoked, "chain.revoked");
    Status judged = crl.check_time(now);
    if (judged.ok()) current = true;
    else time = judged;
  }
  if (!found) return demanded ? Status(fail(Code::crl_missing, "chain.no_crl")) : success();
  return current ? success() : time;
}

Status check_revocations(const Path& path, const ChainPolicy& policy) {
  std::vector<Crl> crls;
  if (policy.crls != nullptr) {
    for (Bytes der : *policy.crls) {
      TRY_LET(Crl crl, Crl::parse(der));
      crls.push_back(crl);
    }
  }
  if (crls.empty() && policy.demand == CrlDemand::none) return success();
  for (size_t i = 0; i + 1 < path.size; ++i) {
    bool demanded = policy.demand == CrlDemand::all || (policy.demand == CrlDemand::intermediates && i > 0);
    TRY(check_revocation(path.certificates[i], path.certificates[i + 1], crls, demanded, policy.now));
  }
  return success();
}

bool is_pinned(const Digest32& hash, const ChainPolicy& policy) {
  for (size_t i = 0; i < policy.root_count; ++i) {
    if (hash == policy.roots[i]) return true;
  }
  return false;
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

Status verify_chain(Bytes leaf, const std::vector<Bytes>& others, const ChainPolicy& policy) {
  TRY(crypto_start());
  if (others.size() >= kMaxChain) return fail(Code::bad_certificate, "chain.length");
  Certificate chain;
  Certificate anchors;
  TRY(parse_one(chain.get(), leaf));
  for (Bytes der : others) {
    TRY_LET(Digest32 hash, certificate_spki_hash(der));
    TRY(parse_one(is_pinned(hash, policy) ? anchors.get() : chain.get(), der));
  }
  if (anchors->raw.p == nullptr) return fail(Code::untrusted_chain, "chain.no_pinned_root");
  Path path;
  path.now = policy.now;
  uint32_t flags = 0;
  int result = mbedtls_x509_crt_verify_with_profile(chain.get(), anchors.get(), nullptr,
                                                    &mbedtls_x509_crt_profile_default, nullptr, &flags,
                                                    use_callers_clock, &path);
  if ((flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0) {
    return fail(Code::untrusted_chain, "chain.verify", Origin::mbedtls, flags);
  }
  uint32_t other = flags & ~static_cast<uint32_t>(MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE);
  if (flags != 0 && other == 0) {
    Code code = (flags & MBEDTLS_X509_BADCERT_EXPIRED) != 0 ? Code::certificate_expired : Code::certificate_not_yet_valid;
    return fail(code, "chain.validity", Origin::mbedtls, flags);
  }
  TRY(mbed_ok(result, Code::bad_certificate, "chain.verify"));
  return check_revocations(path, policy);
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
