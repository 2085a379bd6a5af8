// The certificates come from tests/crypto/x509/make.sh (openssl).
#include "crypto/x509.h"

#include <doctest/doctest.h>

#include "crypto/base/fd.h"

using namespace cstl;

namespace {
constexpr int64_t kNow = 1893456000;       // 2030-01-01
constexpr int64_t kTooEarly = 1577836800;  // 2020-01-01
constexpr int64_t kTooLate = 7258118400;   // 2200-01-01

std::vector<uint8_t> load(std::string name) {
  Result<std::vector<uint8_t>> der = read_file(("tests/crypto/x509/" + name + ".der").c_str(), 65536);
  if (der.ok()) return *der;
  Result<std::vector<uint8_t>> pem = read_file(("tests/crypto/x509/" + name + ".pem").c_str(), 65536);
  REQUIRE(pem.ok());
  Result<std::vector<std::vector<uint8_t>>> list = certificates_from_file(*pem);
  REQUIRE(list.ok());
  REQUIRE(list->size() == 1);
  return (*list)[0];
}

Code verify(const std::string& leaf, const std::vector<std::string>& others, const std::vector<std::string>& pinned,
            int64_t now = kNow) {
  std::vector<std::vector<uint8_t>> owned;
  for (const std::string& name : others) owned.push_back(load(name));
  std::vector<Bytes> chain(owned.begin(), owned.end());
  std::vector<Digest32> roots;
  for (const std::string& name : pinned) roots.push_back(*certificate_spki_hash(load(name)));
  return verify_chain(load(leaf), chain, {roots.data(), roots.size(), now}).code();
}
}  // namespace

TEST_CASE("the key of a certificate is what openssl put in") {
  Result<PublicKey> ek = certificate_key(load("ek"));
  REQUIRE(ek.ok());
  CHECK(ek->kind == KeyKind::p256);
  CHECK(ek->point.size() == 65);
  CHECK(equal(Bytes(ek->spki).skip(ek->spki.size() - 65), ek->point));
  Result<PublicKey> rsa = certificate_key(load("ek_rsa"));
  REQUIRE(rsa.ok());
  CHECK(rsa->kind == KeyKind::rsa);
  CHECK(rsa->modulus.size() == 256);
  CHECK(rsa->modulus[0] >= 0x80);
  CHECK(rsa->exponent == 65537);
  Result<PublicKey> root = certificate_key(load("root"));
  REQUIRE(root.ok());
  CHECK(root->kind == KeyKind::p384);
  CHECK(root->point.size() == 97);
  CHECK(*sha256({Bytes(root->spki)}) == *certificate_spki_hash(load("root")));
}

TEST_CASE("a chain counts only up to a pinned key") {
  struct Row {
    const char* why;
    const char* leaf;
    std::vector<std::string> others, pinned;
    Code code;
  } rows[] = {
      {"pinned root", "ek", {"issuer", "root"}, {"root"}, Code::ok},
      {"any order", "ek", {"root", "issuer"}, {"root"}, Code::ok},
      {"one of several pins", "ek_rsa", {"issuer", "root"}, {"other", "root"}, Code::ok},
      {"pinned issuer, no root", "ek", {"issuer"}, {"issuer"}, Code::ok},
      {"nothing pinned", "ek", {"issuer", "root"}, {}, Code::untrusted_chain},
      {"another root pinned", "ek", {"issuer", "root"}, {"other"}, Code::untrusted_chain},
      {"another root of the same name", "ek", {"issuer", "other"}, {"other"}, Code::untrusted_chain},
      {"pinned root not sent", "ek", {"issuer"}, {"root"}, Code::untrusted_chain},
      {"issuer missing", "ek", {"root"}, {"root"}, Code::untrusted_chain},
      {"the leaf itself pinned", "ek", {}, {"ek"}, Code::untrusted_chain},
      {"a leaf that signs", "below_leaf", {"leaf", "issuer", "root"}, {"root"}, Code::untrusted_chain},
      {"a pinned leaf that signs", "below_leaf", {"leaf"}, {"leaf"}, Code::untrusted_chain},
      {"a path longer than allowed", "below_sub", {"sub", "issuer", "root"}, {"root"}, Code::untrusted_chain},
      {"unknown critical extension", "critical", {"issuer", "root"}, {"root"}, Code::bad_certificate},
      {"too many", "ek", {"issuer", "root", "other", "sub", "root", "root"}, {"root"}, Code::bad_certificate},
  };
  for (const Row& row : rows) {
    CAPTURE(std::string(row.why));
    CHECK(verify(row.leaf, row.others, row.pinned) == row.code);
  }
}

TEST_CASE("validity is judged by the caller's clock, or not at all") {
  CHECK(verify("ek", {"issuer", "root"}, {"root"}, 0) == Code::ok);
  CHECK(verify("ek", {"issuer", "root"}, {"root"}, kTooEarly) == Code::certificate_not_yet_valid);
  CHECK(verify("ek", {"issuer", "root"}, {"root"}, kTooLate) == Code::certificate_expired);
}

TEST_CASE("a leaf with any bit flipped is refused") {
  std::vector<uint8_t> leaf = load("ek");
  std::vector<uint8_t> issuer = load("issuer");
  Digest32 pin = *certificate_spki_hash(issuer);
  ChainPolicy policy{&pin, 1, 0};
  REQUIRE(verify_chain(leaf, {issuer}, policy).ok());
  for (size_t bit = 0; bit < leaf.size() * 8; ++bit) {
    leaf[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    CAPTURE(bit);
    Code code = verify_chain(leaf, {issuer}, policy).code();
    CHECK((code == Code::untrusted_chain || code == Code::bad_certificate));
    leaf[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
  }
}

TEST_CASE("a pinned root with a bit flipped is refused, wherever it stands") {
  std::vector<uint8_t> leaf = load("ek"), issuer = load("issuer"), root = load("root");
  Digest32 pin = *certificate_spki_hash(root);
  ChainPolicy policy{&pin, 1, kNow};
  policy.self_signed = true;
  REQUIRE(verify_chain(leaf, {issuer, root}, policy).ok());
  for (size_t at = 0; at < root.size(); ++at) {
    std::vector<uint8_t> flipped = root;
    flipped[at] ^= static_cast<uint8_t>(1 << at % 8);
    CAPTURE(at);
    CHECK_FALSE(verify_chain(leaf, {issuer, flipped}, policy).ok());
  }
}

TEST_CASE("a certificate that is cut, goes on, or is none is refused") {
  std::vector<uint8_t> der = load("ek");
  for (size_t size = 0; size < der.size(); ++size) {
    CHECK(certificate_key(Bytes(der).first(size)).code() == Code::bad_certificate);
  }
  der.push_back(0);
  CHECK(certificate_key(der).code() == Code::bad_certificate);
  CHECK(certificate_spki_hash(der).code() == Code::bad_certificate);
  CHECK(certificates_from_file(der).code() == Code::bad_certificate);
  CHECK(certificate_key(std::vector<uint8_t>(kMaxCertificate + 1, 0x30)).code() == Code::bad_certificate);
  CHECK(certificates_from_file("").code() == Code::bad_certificate);
  CHECK(certificates_from_file("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").code() ==
        Code::bad_certificate);
}

TEST_CASE("a PEM file gives all its certificates, or none") {
  std::string both;
  for (const char* name : {"issuer", "root"}) {
    Result<std::vector<uint8_t>> pem = read_file((std::string("tests/crypto/x509/") + name + ".pem").c_str(), 65536);
    REQUIRE(pem.ok());
    both.append(pem->begin(), pem->end());
  }
  Result<std::vector<std::vector<uint8_t>>> list = certificates_from_file(both);
  REQUIRE(list.ok());
  CHECK(list->size() == 2);
  CHECK((*list)[1] == load("root"));
  both[both.size() / 4] = '!';
  CHECK(certificates_from_file(both).code() == Code::bad_certificate);
}
