#include "crypto/pem.h"

#include "crypto/mbedtls.h"

namespace cstl {

Status check_pem_certificates(Bytes pem) {
  TRY(crypto_start());
  Certificate parsed;
  return mbed_ok(mbedtls_x509_crt_parse(parsed.get(), pem.data(), pem.size()), Code::bad_certificate,
                 "pem.certificates");
}

Status check_pem_pair(Bytes certificate, Bytes key) {
  TRY(crypto_start());
  Certificate own;
  TRY(mbed_ok(mbedtls_x509_crt_parse(own.get(), certificate.data(), certificate.size()), Code::bad_certificate,
              "pem.certificate"));
  Pk parsed;
  TRY(mbed_ok(mbedtls_pk_parse_key(parsed.get(), key.data(), key.size(), nullptr, 0, random_callback, nullptr),
              Code::bad_key, "pem.key"));
  return mbed_ok(mbedtls_pk_check_pair(&own->pk, parsed.get(), random_callback, nullptr), Code::bad_key, "pem.pair");
}

}  // namespace cstl
