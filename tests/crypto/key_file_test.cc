#include "crypto/key_file.h"

#include <doctest/doctest.h>

using namespace cstl;

namespace {
// RFC 6979, A.2.5: a P-256 key and a signature of it over SHA-256("sample").
Secret<32> rfc_scalar() {
  Secret<32> out;
  REQUIRE(from_hex("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721", out.fill()).ok());
  return out;
}
// The same key as `openssl pkcs8` writes its public half.
constexpr const char* kPublic =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYP7UulqiXZynKY5v99D+Z7YKmfogILqDxWNhC3xgP7Z5A/4Qu8uZzkmeYg2V4wBjpA/2\n"
    "-----END PUBLIC KEY-----\n";
}  // namespace

TEST_CASE("a key that was written is read back") {
  auto key = SigningKey::generate();
  REQUIRE(key.ok());
  auto pem = signing_key_pem(*key);
  REQUIRE(pem.ok());
  std::string text(reinterpret_cast<const char*>(pem->declassify().data()));
  CHECK(text.find("-----BEGIN ") == 0);
  auto again = signing_key_from_pem(Bytes(text));
  REQUIRE(again.ok());
  CHECK(again->point() == key->point());
  auto shown = p256_key_from_pem(Bytes(public_key_pem(key->point())));
  REQUIRE(shown.ok());
  CHECK(equal(shown->point, key->point()));
  CHECK(shown->spki == p256_spki(key->point()));
}

TEST_CASE("files that hold no P-256 key are refused") {
  for (const char* bad : {"", "no key", "-----BEGIN EC PRIVATE KEY-----\n-----END EC PRIVATE KEY-----\n", kPublic}) {
    CAPTURE(bad);
    CHECK(signing_key_from_pem(Bytes(bad)).code() == Code::bad_key);
    CHECK(p256_key_from_pem(Bytes(bad)).code() == Code::bad_key);
  }
  CHECK(p256_key_from_pem(Bytes(std::string(kMaxKeyFile + 1, 'a'))).code() == Code::bad_key);
}

TEST_CASE("signatures are DER with the shortest integers") {
  auto key = SigningKey::from_scalar(rfc_scalar());
  REQUIRE(key.ok());
  auto signature = key->sign(*sha256({Bytes("sample")}));
  REQUIRE(signature.ok());
  // RFC 6979, A.2.5: both halves have their highest bit set, so each is 33 bytes long.
  CHECK(to_hex(ecdsa_der(*signature)) ==
        "3046"
        "022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
        "022100f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8");
  P256Signature tiny{};
  tiny[31] = 1;
  tiny[63] = 0x80;
  CHECK(to_hex(ecdsa_der(tiny)) == "300702010102020080");
  CHECK(verify_ecdsa_der(key->point(), *sha256({Bytes("sample")}), ecdsa_der(*signature)).ok());
}
