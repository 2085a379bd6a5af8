#include "crypto/tls_identity.h"

#include <mbedtls/ecp.h>

namespace cstl {

namespace {
using CertificateWriter = Pinned<mbedtls_x509write_cert, mbedtls_x509write_crt_init, mbedtls_x509write_crt_free>;

// Nothing in the certificate may tell one machine or moment from another, but for the key and the serial number.
constexpr char kName[] = "CN=cstl-atls";
constexpr char kNotBefore[] = "19700101000000";
constexpr char kNotAfter[] = "99991231235959";  // "no well-defined expiration date": RFC 5280, 4.1.2.5
constexpr size_t kSerial = 16;
constexpr size_t kMaxOwnCertificate = 1024;
constexpr size_t kMaxOwnKey = 256;

constexpr int kSuites[] = {MBEDTLS_TLS1_3_AES_128_GCM_SHA256, MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
                           MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256, 0};
constexpr uint16_t kGroups[] = {MBEDTLS_SSL_IANA_TLS_GROUP_X25519, MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
                                MBEDTLS_SSL_IANA_TLS_GROUP_NONE};
constexpr uint16_t kSignatures[] = {MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256, MBEDTLS_TLS1_3_SIG_NONE};
constexpr mbedtls_x509_crt_profile kProfile = {
    MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA256),
    MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_ECKEY) | MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_ECDSA),
    MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP256R1),
    0,
};

// A lone certificate is taken as it is: it names a key, CertificateVerify proves its possession, and evidence says whose
// it is. Clocks are the host's, so its window says nothing. Anything that looks like a chain stays refused.
int accept_lone_certificate(void*, mbedtls_x509_crt* certificate, int depth, uint32_t* flags) {
  if (depth == 0 && certificate->next == nullptr) {
    *flags &= ~static_cast<uint32_t>(MBEDTLS_X509_BADCERT_NOT_TRUSTED | MBEDTLS_X509_BADCERT_EXPIRED |
                                     MBEDTLS_X509_BADCERT_FUTURE);
  } else {
    *flags |= MBEDTLS_X509_BADCERT_NOT_TRUSTED;
  }
  return 0;
}

Status configure(mbedtls_ssl_config* config, int endpoint, mbedtls_x509_crt* certificate, mbedtls_pk_context* key,
                 mbedtls_x509_crt* no_anchor) {
  TRY(mbed_ok(mbedtls_ssl_config_defaults(config, endpoint, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT),
              Code::tls_failed, "tls.config"));
  mbedtls_ssl_conf_rng(config, random_callback, nullptr);
  mbedtls_ssl_conf_min_tls_version(config, MBEDTLS_SSL_VERSION_TLS1_3);
  mbedtls_ssl_conf_max_tls_version(config, MBEDTLS_SSL_VERSION_TLS1_3);
  mbedtls_ssl_conf_ciphersuites(config, kSuites);
  mbedtls_ssl_conf_groups(config, kGroups);
  mbedtls_ssl_conf_sig_algs(config, kSignatures);
  mbedtls_ssl_conf_tls13_key_exchange_modes(config, MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL);
  mbedtls_ssl_conf_cert_profile(config, &kProfile);
  mbedtls_ssl_conf_authmode(config, MBEDTLS_SSL_VERIFY_REQUIRED);
  mbedtls_ssl_conf_ca_chain(config, no_anchor, nullptr);
  mbedtls_ssl_conf_verify(config, accept_lone_certificate, nullptr);
#if defined(MBEDTLS_SSL_SESSION_TICKETS)
#error "aTLS 1 has no resumption: tickets must be compiled out"
#endif
  return mbed_ok(mbedtls_ssl_conf_own_cert(config, certificate, key), Code::tls_failed, "tls.own_certificate");
}

Status write_certificate(mbedtls_pk_context* key, mbedtls_x509_crt* out) {
  CertificateWriter writer;
  uint8_t serial[kSerial];
  TRY(random_bytes(MutBytes(serial, sizeof serial)));
  serial[0] = static_cast<uint8_t>((serial[0] & 0x7f) | 0x40);  // positive, and no leading zero to strip
  mbedtls_x509write_crt_set_version(writer.get(), MBEDTLS_X509_CRT_VERSION_3);
  mbedtls_x509write_crt_set_md_alg(writer.get(), MBEDTLS_MD_SHA256);
  mbedtls_x509write_crt_set_subject_key(writer.get(), key);
  mbedtls_x509write_crt_set_issuer_key(writer.get(), key);
  TRY(mbed_ok(mbedtls_x509write_crt_set_serial_raw(writer.get(), serial, sizeof serial), Code::crypto_failed,
              "identity.serial"));
  TRY(mbed_ok(mbedtls_x509write_crt_set_subject_name(writer.get(), kName), Code::crypto_failed, "identity.subject"));
  TRY(mbed_ok(mbedtls_x509write_crt_set_issuer_name(writer.get(), kName), Code::crypto_failed, "identity.issuer"));
  TRY(mbed_ok(mbedtls_x509write_crt_set_validity(writer.get(), kNotBefore, kNotAfter), Code::crypto_failed,
              "identity.validity"));
  // X.509v3 (which TLS 1.3 demands) may not have an empty list of extensions: RFC 5280, 4.1.2.9.
  TRY(mbed_ok(mbedtls_x509write_crt_set_basic_constraints(writer.get(), 0, -1), Code::crypto_failed,
              "identity.constraints"));
  uint8_t der[kMaxOwnCertificate];
  int size = mbedtls_x509write_crt_der(writer.get(), der, sizeof der, random_callback, nullptr);
  if (size < 0) return fail(Code::crypto_failed, "identity.certificate", Origin::mbedtls, size);
  // mbedTLS writes DER backwards, to the end of the buffer.
  return mbed_ok(mbedtls_x509_crt_parse_der(out, der + sizeof der - size, static_cast<size_t>(size)),
                 Code::crypto_failed, "identity.parse");
}
}  // namespace

Status TlsIdentity::State::finish() {
  if (mbedtls_pk_get_type(key.get()) != MBEDTLS_PK_ECKEY ||
      mbedtls_ecp_keypair_get_group_id(mbedtls_pk_ec(*key.get())) != MBEDTLS_ECP_DP_SECP256R1) {
    return fail(Code::bad_key, "identity.key_kind");
  }
  TRY(mbed_ok(mbedtls_pk_check_pair(&certificate->pk, key.get(), random_callback, nullptr), Code::bad_key,
              "identity.pair"));
  TRY_LET(spki_hash, sha256({Bytes(certificate->pk_raw.p, certificate->pk_raw.len)}));
  TRY(configure(client.get(), MBEDTLS_SSL_IS_CLIENT, certificate.get(), key.get(), no_anchor.get()));
  return configure(server.get(), MBEDTLS_SSL_IS_SERVER, certificate.get(), key.get(), no_anchor.get());
}

TlsIdentity::TlsIdentity() : state_(new State) {}
TlsIdentity::~TlsIdentity() = default;

Result<std::unique_ptr<TlsIdentity>> TlsIdentity::create() {
  TRY(crypto_start());
  std::unique_ptr<TlsIdentity> identity(new TlsIdentity);
  State& state = *identity->state_;
  TRY(mbed_ok(mbedtls_pk_setup(state.key.get(), mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)), Code::crypto_failed,
              "identity.key"));
  TRY(mbed_ok(mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*state.key.get()), random_callback, nullptr),
              Code::crypto_failed, "identity.key"));
  TRY(write_certificate(state.key.get(), state.certificate.get()));
  TRY(state.finish());
  return identity;
}

Result<std::unique_ptr<TlsIdentity>> TlsIdentity::from_der(Bytes private_key, Bytes certificate) {
  TRY(crypto_start());
  std::unique_ptr<TlsIdentity> identity(new TlsIdentity);
  State& state = *identity->state_;
  TRY(mbed_ok(mbedtls_pk_parse_key(state.key.get(), private_key.data(), private_key.size(), nullptr, 0, random_callback,
                                   nullptr),
              Code::bad_key, "identity.key"));
  TRY(mbed_ok(mbedtls_x509_crt_parse_der(state.certificate.get(), certificate.data(), certificate.size()),
              Code::bad_certificate, "identity.certificate"));
  TRY(state.finish());
  return identity;
}

Result<SecretBuffer> TlsIdentity::private_key_der() const {
  SecretBuffer scratch(kMaxOwnKey);
  int size = mbedtls_pk_write_key_der(state_->key.get(), scratch.space().data(), scratch.size());
  if (size < 0) return fail(Code::crypto_failed, "identity.key_der", Origin::mbedtls, size);
  auto length = static_cast<size_t>(size);
  SecretBuffer out(length);
  std::memcpy(out.space().data(), scratch.space().data() + scratch.size() - length, length);
  return out;
}

Bytes TlsIdentity::certificate_der() const { return Bytes(state_->certificate->raw.p, state_->certificate->raw.len); }

const Digest32& TlsIdentity::spki_hash() const { return state_->spki_hash; }

}  // namespace cstl
