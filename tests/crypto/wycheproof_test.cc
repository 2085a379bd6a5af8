// Project Wycheproof's vectors, read from the package that $CSTL_EVIDENCE holds (tools/deps/evidence.sh), through our own
// wrappers. Where the project has none (AES-GCM, X25519 with a peer's key) TLS computes, so what TLS calls is tested.
// Counts of vectors are part of each row: fewer of them fail the test.
#include <cstdlib>
#include <doctest/doctest.h>
#include <mbedtls/gcm.h>
#include <psa/crypto.h>

#include "crypto/base/fd.h"
#include "crypto/base/json.h"
#include "crypto/fast_verify.h"
#include "crypto/sign.h"

using namespace cstl;

namespace {
using Json = nlohmann::json;

Json groups_of(const std::string& file) {
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

bool skipped() { return std::getenv("CSTL_EVIDENCE") == nullptr; }

std::vector<uint8_t> hex(const Json& text) {
  const std::string& digits = text.get_ref<const std::string&>();
  std::vector<uint8_t> out(digits.size() / 2);
  CHECK(from_hex(digits, out).ok());
  return out;
}

Digest hash_of(const Json& group, Bytes message) {
  std::string name = group["sha"];
  HashKind kind = name == "SHA-256" ? HashKind::sha256 : name == "SHA-384" ? HashKind::sha384 : HashKind::sha512;
  return *Hash::of(kind, {message});
}

// r ‖ s as a field of 2n bytes, which is what the form means; verify_p256() itself takes shorter integers too.
Code verify_raw(Bytes point, Bytes digest, Bytes signature) {
  size_t n = point.size() / 2;
  if (signature.size() != 2 * n) return Code::bad_signature;
  if (n == 32) {
    P256Point key;
    std::copy(point.begin(), point.end(), key.begin());
    return verify_p256(key, digest, signature.first(n), signature.skip(n)).code();
  }
  P384Point key;
  REQUIRE(point.size() == key.size());
  std::copy(point.begin(), point.end(), key.begin());
  return verify_p384(key, digest, signature.first(n), signature.skip(n)).code();
}

void replay_ecdsa() {
  struct Row {
    const char* file;
    bool der;
    size_t valid, invalid;
  } rows[] = {
      {"ecdsa_secp256r1_sha256_test.json", true, 174, 310},
      {"ecdsa_secp256r1_sha256_p1363_test.json", false, 173, 89},
      {"ecdsa_secp256r1_sha512_test.json", true, 243, 311},
      {"ecdsa_secp256r1_sha512_p1363_test.json", false, 242, 90},
      {"ecdsa_secp384r1_sha256_test.json", true, 162, 310},
      {"ecdsa_secp384r1_sha384_test.json", true, 194, 310},
      {"ecdsa_secp384r1_sha384_p1363_test.json", false, 193, 87},
      {"ecdsa_secp384r1_sha512_test.json", true, 231, 311},
      {"ecdsa_secp384r1_sha512_p1363_test.json", false, 230, 88},
  };
  for (const Row& row : rows) {
    CAPTURE(std::string(row.file));
    size_t valid = 0, invalid = 0;
    for (const Json& group : groups_of(row.file)) {
      std::vector<uint8_t> point = hex(group["publicKey"]["uncompressed"]);
      for (const Json& test : group["tests"]) {
        CAPTURE(test["tcId"].get<int>());
        Digest digest = hash_of(group, hex(test["msg"]));
        std::vector<uint8_t> signature = hex(test["sig"]);
        Code seen = row.der ? verify_ecdsa_der(point, digest, signature).code() : verify_raw(point, digest, signature);
        bool good = test["result"] == "valid";
        CHECK(seen == (good ? Code::ok : Code::bad_signature));
        ++(good ? valid : invalid);
      }
    }
    CHECK((skipped() || (valid >= row.valid && invalid >= row.invalid)));
  }
}

// Our profile: public exponent 65537 only; PKCS#1 v1.5 with the NULL that some forget ("acceptable" to Wycheproof).
void replay_rsa() {
  struct Row {
    const char* file;
    int salt;  // PSS; -1: PKCS#1 v1.5
    size_t valid, refused;
  } rows[] = {
      {"rsa_pss_2048_sha256_mgf1_0_test.json", 0, 61, 42},     {"rsa_pss_2048_sha256_mgf1_32_test.json", 32, 63, 45},
      {"rsa_pss_2048_sha384_mgf1_48_test.json", 48, 95, 46},   {"rsa_pss_3072_sha256_mgf1_32_test.json", 32, 63, 45},
      {"rsa_pss_4096_sha256_mgf1_32_test.json", 32, 63, 45},   {"rsa_pss_4096_sha384_mgf1_48_test.json", 48, 95, 46},
      {"rsa_pss_4096_sha512_mgf1_32_test.json", 32, 132, 45},  {"rsa_pss_4096_sha512_mgf1_64_test.json", 64, 132, 47},
      {"rsa_signature_2048_sha256_test.json", -1, 7, 249},     {"rsa_signature_2048_sha384_test.json", -1, 7, 250},
      {"rsa_signature_2048_sha512_test.json", -1, 7, 250},     {"rsa_signature_3072_sha256_test.json", -1, 7, 250},
      {"rsa_signature_3072_sha384_test.json", -1, 7, 251},     {"rsa_signature_3072_sha512_test.json", -1, 7, 251},
      {"rsa_signature_4096_sha256_test.json", -1, 7, 250},     {"rsa_signature_4096_sha384_test.json", -1, 7, 251},
      {"rsa_signature_4096_sha512_test.json", -1, 7, 251},
  };
  for (const Row& row : rows) {
    CAPTURE(std::string(row.file));
    size_t valid = 0, refused = 0;
    for (const Json& group : groups_of(row.file)) {
      std::vector<uint8_t> modulus = hex(group["publicKey"]["modulus"]);
      if (modulus.front() == 0) modulus.erase(modulus.begin());
      uint32_t exponent = group["publicKey"]["publicExponent"] == "010001" ? 65537 : 3;
      for (const Json& test : group["tests"]) {
        CAPTURE(test["tcId"].get<int>());
        RsaPadding padding = row.salt < 0 ? RsaPadding::pkcs1_v15 : RsaPadding::pss;
        Digest digest = hash_of(group, hex(test["msg"]));
        std::vector<uint8_t> signature = hex(test["sig"]);
        Code seen = verify_rsa(modulus, exponent, padding, digest, signature, row.salt).code();
        bool good = test["result"] == "valid" && exponent == 65537;
        CHECK(seen == (good ? Code::ok : exponent != 65537 ? Code::bad_key : Code::bad_signature));
        ++(good ? valid : refused);
        if (row.salt < 0) continue;
        // Salts of any length, as TPMs choose them: those of another length verify too, and nothing else does.
        bool other_salt = test["comment"].get_ref<const std::string&>().rfind("s_len changed", 0) == 0;
        CHECK(verify_rsa(modulus, exponent, padding, digest, signature).ok() == (good || other_salt));
      }
    }
    CHECK((skipped() || (valid >= row.valid && refused >= row.refused)));
  }
}
}  // namespace

TEST_CASE("Wycheproof: ECDSA P-256 and P-384, DER and raw, by mbedTLS and by what is faster") {
  replay_ecdsa();
  FastVerification fast;
  replay_ecdsa();
}

TEST_CASE("Wycheproof: RSA PSS and PKCS#1 v1.5 from 2048 to 4096 bits, by mbedTLS and by what is faster") {
  replay_rsa();
  FastVerification fast;
  replay_rsa();
}

TEST_CASE("Wycheproof: HKDF with SHA-256") {
  size_t count = 0;
  for (const Json& group : groups_of("hkdf_sha256_test.json")) {
    for (const Json& test : group["tests"]) {
      CAPTURE(test["tcId"].get<int>());
      std::vector<uint8_t> out(test["size"].get<size_t>());
      Status seen = hkdf_sha256(hex(test["ikm"]), hex(test["salt"]), hex(test["info"]), out);
      CHECK(seen.code() == (test["result"] == "valid" ? Code::ok : Code::too_long));
      if (seen.ok()) CHECK(out == hex(test["okm"]));
      ++count;
    }
  }
  CHECK((skipped() || count >= 86));
}

TEST_CASE("Wycheproof: AES-GCM, as TLS uses it") {
  size_t count = 0;
  for (const Json& group : groups_of("aes_gcm_test.json")) {
    for (const Json& test : group["tests"]) {
      CAPTURE(test["tcId"].get<int>());
      std::vector<uint8_t> key = hex(test["key"]), iv = hex(test["iv"]), aad = hex(test["aad"]), tag = hex(test["tag"]);
      std::vector<uint8_t> cipher = hex(test["ct"]), plain(cipher.size());
      mbedtls_gcm_context gcm;
      mbedtls_gcm_init(&gcm);
      REQUIRE(mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_AES, key.data(), static_cast<unsigned>(key.size() * 8)) == 0);
      int seen = mbedtls_gcm_auth_decrypt(&gcm, cipher.size(), iv.data(), iv.size(), aad.data(), aad.size(), tag.data(),
                                          tag.size(), cipher.data(), plain.data());
      mbedtls_gcm_free(&gcm);
      CHECK((seen == 0) == (test["result"] == "valid"));
      if (seen == 0) CHECK(plain == hex(test["msg"]));
      ++count;
    }
  }
  CHECK((skipped() || count >= 316));
}

TEST_CASE("Wycheproof: X25519, as TLS uses it") {
  REQUIRE(crypto_start().ok());
  size_t count = 0;
  for (const Json& group : groups_of("x25519_test.json")) {
    for (const Json& test : group["tests"]) {
      CAPTURE(test["tcId"].get<int>());
      std::vector<uint8_t> own = hex(test["private"]), peer = hex(test["public"]), shared = hex(test["shared"]);
      psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
      psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_DERIVE);
      psa_set_key_algorithm(&attributes, PSA_ALG_ECDH);
      psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_MONTGOMERY));
      psa_key_id_t id = 0;
      REQUIRE(psa_import_key(&attributes, own.data(), own.size(), &id) == PSA_SUCCESS);
      std::vector<uint8_t> out(32);
      size_t size = 0;
      psa_status_t seen = psa_raw_key_agreement(PSA_ALG_ECDH, id, peer.data(), peer.size(), out.data(), out.size(), &size);
      psa_destroy_key(id);
      // A peer's point of low order gives a shared secret that everyone knows: mbedTLS refuses it.
      bool zero = shared == std::vector<uint8_t>(32);
      if (test["result"] == "valid") CHECK(seen == PSA_SUCCESS);
      if (zero) CHECK(seen != PSA_SUCCESS);
      if (seen == PSA_SUCCESS) CHECK(out == shared);
      ++count;
    }
  }
  CHECK((skipped() || count >= 518));
}
