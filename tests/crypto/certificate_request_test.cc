#include "crypto/certificate_request.h"

#include <doctest/doctest.h>
#include <mbedtls/pk.h>
#include <mbedtls/x509_csr.h>

#include "crypto/base/base64.h"
#include "crypto/base/secret_base64.h"
#include "crypto/mbedtls.h"
#include "crypto/x25519.h"

using namespace cstl;

TEST_CASE("a certificate request carries its subject and key, and nothing else") {
  SigningKey key = std::move(*SigningKey::generate());
  auto der = make_certificate_request(key, "system:nodes", "system:node:worker-0");
  REQUIRE(der.ok());
  mbedtls_x509_csr csr;
  mbedtls_x509_csr_init(&csr);
  REQUIRE(mbedtls_x509_csr_parse_der(&csr, der->data(), der->size()) == 0);
  char subject[256];
  REQUIRE(mbedtls_x509_dn_gets(subject, sizeof subject, &csr.subject) > 0);
  CHECK(std::string(subject) == "O=system:nodes, CN=system:node:worker-0");
  CHECK(csr.key_usage == 0);
  CHECK(csr.ns_cert_type == 0);
  uint8_t spki[128];
  int size = mbedtls_pk_write_pubkey_der(&csr.pk, spki, sizeof spki);
  REQUIRE(size > 65);
  CHECK(equal(Bytes(spki + sizeof spki - 65, 65), key.point()));
  mbedtls_x509_csr_free(&csr);
}

TEST_CASE("a subject with a separator, or none at all, is refused") {
  SigningKey key = std::move(*SigningKey::generate());
  for (const char* bad : {"", "a,CN=b", "a=b", "a b", "a\\b", "ä"}) {
    CAPTURE(bad);
    CHECK(make_certificate_request(key, "o", bad).code() == Code::bad_value);
    CHECK(make_certificate_request(key, bad, "n").code() == Code::bad_value);
  }
  CHECK(make_certificate_request(key, "o", std::string(65, 'a')).code() == Code::bad_value);
}

TEST_CASE("a private key comes back from its PEM") {
  SigningKey key = std::move(*SigningKey::generate());
  auto pem = private_key_pem(key);
  REQUIRE(pem.ok());
  CHECK(pem->declassify().text().rfind("-----BEGIN EC PRIVATE KEY-----\n", 0) == 0);
  std::vector<uint8_t> with_zero = pem->declassify().copy();
  with_zero.push_back(0);
  Pk pk;
  REQUIRE(mbedtls_pk_parse_key(pk.get(), with_zero.data(), with_zero.size(), nullptr, 0, random_callback, nullptr) == 0);
  uint8_t scalar[32];
  size_t size = 0;
  REQUIRE(mbedtls_ecp_write_key_ext(mbedtls_pk_ec(*pk.get()), &size, scalar, sizeof scalar) == 0);
  CHECK(equal(Bytes(scalar, size), key.scalar().declassify()));
}

// From the algorithm of RFC 7748, section 5, written out in Python and checked with the vectors there.
TEST_CASE("X25519 gives the known public keys, and takes only clamped private ones") {
  struct Row { const char *key, *point; } rows[] = {
      {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e5f",
       "8f40c5adb68f25624ae5b214ea767a6ec94d829d3d7b5e1ad1ba6f3e2138285f"},
      {"404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f",
       "79a631eede1bf9c98f12032cdeadd0e7a079398fc786b88cc846ec89af85a51a"},
      {"a046e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449a44",
       "1c9fd88f45606d932a80c71824ae151d15d73e77de38e8e000852e614fae7019"},
  };
  for (const Row& row : rows) {
    Secret<32> key;
    REQUIRE(from_hex(row.key, key.fill()).ok());
    auto point = x25519_public(key);
    REQUIRE(point.ok());
    CHECK(to_hex(*point) == row.point);
    key.fill().data()[0] |= 1;
    CHECK(x25519_public(key).code() == Code::bad_key);
  }
  auto made = x25519_generate();
  REQUIRE(made.ok());
  CHECK(x25519_public(*made).ok());
}

TEST_CASE("secrets have the base64 text of everybody else") {
  std::vector<uint8_t> all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<uint8_t>(i * 37));
  for (size_t size : {0, 1, 2, 3, 32, 64, 255, 256}) {
    CHECK(secret_base64(Bytes(all).first(size)).declassify().text() == to_base64(Bytes(all).first(size)));
  }
}
