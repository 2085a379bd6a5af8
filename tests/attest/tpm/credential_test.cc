// KDFa's vectors are computed by python3's hmac: hmac(key, 00000001 ‖ label ‖ 00 ‖ u ‖ v ‖ bits). That a TPM recovers what
// make_credential() wrote is tests/attest/tpm/issue_test.cc.
#include "attest/tpm/credential.h"

#include "attest/tpm/structures.h"
#include "tests/attest/vectors.h"

using namespace cstl;
using namespace cstl::test;
using namespace cstl::tpm;

TEST_CASE("KDFa agrees with an independent computation") {
  struct Row {
    const char* label;
    const char* u;
    const char* v;
    size_t size;
    const char* out;
  };
  const Row rows[] = {
      {"STORAGE", "name", "", 16, "97f1ccec355e7643a61c69d29ad6404d"},
      {"INTEGRITY", "", "", 32, "bacf689f634ece301e1f1b15b072d9c87db6a69585db42b1a0cb8f73ebe2692e"},
      {"ATH", "first", "second", 20, "23ef804831ddd23a5ba85b7759b69b43d747d1d9"},
      {"", "", "", 1, "1f"},
  };
  Digest32 key = test_binding();
  for (const Row& row : rows) {
    Buffer out(row.size);
    REQUIRE(kdfa_sha256(key, row.label, row.u, row.v, out).ok());
    CHECK(to_hex(out) == row.out);
  }
  Buffer large(33);
  CHECK(kdfa_sha256(key, "X", "", "", large).code() == Code::too_long);
}

TEST_CASE("the default EK's public area has the name that its TPM knows") {
  Result<PublicKey> ek = certificate_key(load("tpm/ek.der"));
  REQUIRE(ek.ok());
  Buffer space(512);
  Result<Bytes> area = default_ek_public(ek->modulus, space);
  REQUIRE(area.ok());
  Result<Public> parsed = Public::decode(*area);
  REQUIRE(parsed.ok());
  CHECK(parsed->attributes == kEkAttributes);
  CHECK(parsed->symmetric == kAlgAes);
  CHECK(parsed->symmetric_bits == 128);
  CHECK(parsed->symmetric_mode == kAlgCfb);
  CHECK(parsed->rsa_bits == 2048);
  CHECK(default_ek_public(Buffer(255), space).code() == Code::unsupported);
}

TEST_CASE("make_credential: form, freshness, and what it refuses") {
  Result<PublicKey> ek = certificate_key(load("tpm/ek.der"));
  REQUIRE(ek.ok());
  Result<std::array<uint8_t, 34>> name = name_of(load("tpm/ecc.public"));
  REQUIRE(name.ok());
  Result<Buffer> one = make_credential(*ek, *name, test_binding());
  Result<Buffer> two = make_credential(*ek, *name, test_binding());
  REQUIRE(one.ok());
  REQUIRE(two.ok());
  CHECK(*one != *two);
  Reader r(*one);
  Result<Bytes> id_object = r.bytes16(kMaxCredential);
  Result<Bytes> secret = r.bytes16(kMaxCredential);
  REQUIRE(id_object.ok());
  REQUIRE(secret.ok());
  CHECK(r.finish().ok());
  CHECK(id_object->size() == 2 + 32 + 2 + 32);
  CHECK(secret->size() == kEkModulus);

  CHECK(make_credential(*ek, *name, Buffer(33)).code() == Code::too_long);
  CHECK(make_credential(*ek, *name, Bytes()).code() == Code::too_long);
  PublicKey other = *ek;
  other.exponent = 3;
  CHECK(make_credential(other, *name, test_binding()).code() == Code::unsupported);
  other = *ek;
  other.modulus.resize(384);
  CHECK(make_credential(other, *name, test_binding()).code() == Code::unsupported);
  other = *ek;
  other.kind = KeyKind::p256;
  CHECK(make_credential(other, *name, test_binding()).code() == Code::unsupported);
}
