// Project Wycheproof's vectors, read from the package that $CSTL_EVIDENCE holds (tools/deps/evidence.sh).
#include <cstdlib>
#include <doctest/doctest.h>

#include "crypto/base/fd.h"
#include "crypto/base/json.h"
#include "crypto/sign.h"

using namespace cstl;

namespace {
using Json = nlohmann::json;

Json groups_of(const char* file) {
  const char* prefix = std::getenv("CSTL_EVIDENCE");
  if (prefix == nullptr) {
    MESSAGE("CSTL_EVIDENCE is not set: " << file << " is not replayed");
    return Json::array();
  }
  std::string path = std::string(prefix) + "/usr/share/gocode/src/github.com/c2sp/wycheproof/testvectors_v1/" + file;
  Result<std::vector<uint8_t>> text = read_file(path.c_str(), 8 << 20);
  REQUIRE(text.ok());
  Result<Json> json = parse_json(Bytes(*text).text(), 8 << 20);
  REQUIRE(json.ok());
  return (*json)["testGroups"];
}

std::vector<uint8_t> hex(const Json& text) {
  const std::string& digits = text.get_ref<const std::string&>();
  std::vector<uint8_t> out(digits.size() / 2);
  CHECK(from_hex(digits, out).ok());
  return out;
}

// Our profile: exponent 65537 only; PSS with a salt of any length, as TPMs choose it.
Code expected(const Json& group, const Json& test) {
  if (group["publicKey"]["publicExponent"] != "010001") return Code::bad_key;
  bool other_salt = test["comment"].get_ref<const std::string&>().rfind("s_len changed", 0) == 0;
  return test["result"] == "valid" || other_salt ? Code::ok : Code::bad_signature;
}

void replay_rsa(const char* file, RsaPadding padding) {
  for (const Json& group : groups_of(file)) {
    std::vector<uint8_t> modulus = hex(group["publicKey"]["modulus"]);
    if (modulus.front() == 0) modulus.erase(modulus.begin());
    for (const Json& test : group["tests"]) {
      CAPTURE(test["tcId"].get<int>());
      uint32_t exponent = group["publicKey"]["publicExponent"] == "010001" ? 65537 : 3;
      Status seen = verify_rsa(modulus, exponent, padding, *sha256({hex(test["msg"])}), hex(test["sig"]));
      CHECK(seen.code() == expected(group, test));
    }
  }
}
}  // namespace

TEST_CASE("Wycheproof: ECDSA P-256 with SHA-256") {
  for (const Json& group : groups_of("ecdsa_secp256r1_sha256_p1363_test.json")) {
    std::vector<uint8_t> raw = hex(group["publicKey"]["uncompressed"]);
    P256Point key{};
    REQUIRE(raw.size() == key.size());
    std::copy(raw.begin(), raw.end(), key.begin());
    for (const Json& test : group["tests"]) {
      CAPTURE(test["tcId"].get<int>());
      std::vector<uint8_t> signature = hex(test["sig"]);
      Bytes all = signature;
      // As a field of 2n bytes, which is what r ‖ s means; verify_p256() itself takes shorter integers too.
      Status seen = all.size() == 64 ? verify_p256(key, *sha256({hex(test["msg"])}), all.first(32), all.skip(32))
                                     : Status(fail(Code::bad_signature, "test.size"));
      CHECK(seen.code() == (test["result"] == "valid" ? Code::ok : Code::bad_signature));
    }
  }
}

TEST_CASE("Wycheproof: RSA PSS with SHA-256, 2048 bits") {
  replay_rsa("rsa_pss_2048_sha256_mgf1_32_test.json", RsaPadding::pss);
  replay_rsa("rsa_pss_2048_sha256_mgf1_0_test.json", RsaPadding::pss);
}

TEST_CASE("Wycheproof: RSA PKCS#1 v1.5 with SHA-256, 2048 bits") {
  replay_rsa("rsa_signature_2048_sha256_test.json", RsaPadding::pkcs1_v15);
}

TEST_CASE("Wycheproof: HKDF with SHA-256") {
  for (const Json& group : groups_of("hkdf_sha256_test.json")) {
    for (const Json& test : group["tests"]) {
      CAPTURE(test["tcId"].get<int>());
      std::vector<uint8_t> out(test["size"].get<size_t>());
      Status seen = hkdf_sha256(hex(test["ikm"]), hex(test["salt"]), hex(test["info"]), out);
      CHECK(seen.code() == (test["result"] == "valid" ? Code::ok : Code::too_long));
      if (seen.ok()) CHECK(out == hex(test["okm"]));
    }
  }
}
