#include "crypto/pem.h"

#include <mbedtls/pem.h>

#include "crypto/mbedtls.h"

namespace cstl {

Status check_pem_certificates(Bytes pem) {
  TRY(crypto_start());
  Certificate parsed;
  return mbed_ok(mbedtls_x509_crt_parse(parsed.get(), pem.data(), pem.size()), Code::bad_certificate,
                 "pem.certificates");
}

namespace {
using Pem = Pinned<mbedtls_pem_context, mbedtls_pem_init, mbedtls_pem_free>;
}  // namespace

Result<std::vector<uint8_t>> pem_block(Bytes text, std::string_view label) {
  Pem pem;
  std::string copy(text.text());  // mbedTLS wants its terminating zero
  std::string begin = "-----BEGIN " + std::string(label) + "-----";
  std::string end = "-----END " + std::string(label) + "-----";
  size_t used = 0;
  TRY(mbed_ok(mbedtls_pem_read_buffer(pem.get(), begin.c_str(), end.c_str(),
                                      reinterpret_cast<const unsigned char*>(copy.c_str()), nullptr, 0, &used),
              Code::bad_value, "pem.block"));
  size_t size = 0;
  const unsigned char* data = mbedtls_pem_get_buffer(pem.get(), &size);
  return std::vector<uint8_t>(data, data + size);
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
