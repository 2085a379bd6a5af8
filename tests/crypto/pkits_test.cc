// NIST's Public Key Interoperability Test Suite (PKITS 1.0.1) through verify_chain(): every test, with its lists of
// revoked certificates, all demanded. Read from $CSTL_EVIDENCE (tools/deps/evidence.sh); Go's description of the tests says what
// each should give. We promise less than RFC 5280, 6.1 and are stricter: each test whose result differs stands below.
#include <algorithm>
#include <cstdlib>
#include <doctest/doctest.h>

#include "crypto/base/fd.h"
#include "crypto/base/json.h"
#include "crypto/fast_verify.h"
#include "crypto/x509.h"

using namespace cstl;

namespace {
using Json = nlohmann::json;
using Der = std::vector<uint8_t>;

constexpr int64_t kNow = 1767225600;  // 2026-01-01; the suite's certificates end with 2030
constexpr const char* kSuite = "/usr/share/go-1.24/src/crypto/x509/testdata/nist-pkits/";
constexpr const char* kCertificates = "/usr/share/go-1.24/src/crypto/x509/testdata/nist-pkits/certs/";
constexpr const char* kLists = "/usr/lib/python3/dist-packages/cryptography_vectors/x509/PKITS_data/crls/";

struct Deviation {
  const char* reason;
  Code code;                 // what we give
  bool path_is_good = false; // without lists of revoked certificates we give ok
  std::vector<std::string> tests;
};

// Valid by the suite, refused by us.
const std::vector<Deviation> kStricter{
    {"DSA is refused", Code::bad_certificate, false, {"4.1.4", "4.1.5"}},
    {"dates before 1970 are refused", Code::bad_certificate, false, {"4.2.3"}},
    {"unique identifiers are refused, which RFC 5280, 4.1.2.8 forbids to use", Code::bad_certificate, false, {"4.3.6"}},
    {"names are compared byte for byte: spaces, case and kind of string count", Code::untrusted_chain, false,
     {"4.3.3", "4.3.4", "4.3.5", "4.3.10", "4.3.11"}},
    {"a list is signed by the key that signed the certificate, not by another of the same name", Code::crl_signature, true,
     {"4.4.19", "4.5.1", "4.6.15", "4.6.17"}},
    {"a serial number is the same with and without the byte of its sign", Code::certificate_revoked, true, {"4.4.14"}},
    {"a list is complete and its issuer's own: critical extensions are refused", Code::crl_malformed, true,
     {"4.5.3",   "4.5.4",   "4.5.6",   "4.14.1",  "4.14.4",  "4.14.5",  "4.14.7",
      "4.14.13", "4.14.18", "4.14.19", "4.14.22", "4.14.24", "4.14.25", "4.14.28",
      "4.14.29", "4.14.30", "4.14.33", "4.15.2",  "4.15.5",  "4.15.7",  "4.15.8"}},
    {"critical constraints and mappings of policies are refused", Code::bad_certificate, false,
     {"4.9.1",     "4.9.2",     "4.9.4",     "4.9.6",     "4.10.1.1",  "4.10.3/2", "4.10.5/1", "4.10.6/1",
      "4.10.9",    "4.10.11",   "4.10.12/1", "4.10.12/2", "4.10.13/1", "4.10.13/2", "4.10.14", "4.11.2",
      "4.11.4",    "4.11.7",    "4.12.2",    "4.12.3/1",  "4.12.7",    "4.12.9"}},
    {"name constraints are refused", Code::bad_certificate, false,
     {"4.13.1",  "4.13.4",  "4.13.5",  "4.13.6",  "4.13.11", "4.13.14", "4.13.18", "4.13.19",
      "4.13.21", "4.13.23", "4.13.25", "4.13.27", "4.13.30", "4.13.32", "4.13.34", "4.13.36"}},
};

// Invalid by the suite, accepted by us.
const std::vector<Deviation> kLooser{
    {"the verifier demands a policy: ours never does", Code::ok, true,
     {"4.8.1/3", "4.8.2/2", "4.8.3/2", "4.8.3/3", "4.8.6/3", "4.8.14/2"}},
    {"policies are not read, nor constraints of them that are not critical", Code::ok, true,
     {"4.8.4", "4.8.5", "4.8.7", "4.8.8", "4.8.9", "4.8.12"}},
};

Der file_of(const char* folder, const std::string& name) {
  CAPTURE(name);
  Result<Der> out = read_file((std::getenv("CSTL_EVIDENCE") + std::string(folder) + name).c_str(), 1 << 20);
  REQUIRE(out.ok());
  return *out;
}

// "4.8.1 All Certificates Same Policy Test1 (Subpart 3)": "4.8.1/3".
std::string number_of(const std::string& name) {
  constexpr std::string_view kPart = "(Subpart ";
  std::string out = name.substr(0, name.find(' '));
  size_t part = name.find(kPart);
  bool told_apart = std::count(out.begin(), out.end(), '.') == 3;  // 4.10.1 has numbers for them
  if (part != std::string::npos && !told_apart) out += "/" + name.substr(part + kPart.size(), 1);
  return out;
}

Code judge(const Json& test, bool with_lists) {
  std::vector<Der> certificates, lists;
  for (const Json& name : test["CertPath"]) certificates.push_back(file_of(kCertificates, name));
  for (const Json& name : test["CRLPath"]) lists.push_back(file_of(kLists, name));
  std::vector<Bytes> others(certificates.begin(), certificates.end() - 1), crls(lists.begin(), lists.end());
  Result<Digest32> root = certificate_spki_hash(certificates.front());  // the suite's one trust anchor
  REQUIRE(root.ok());
  ChainPolicy policy{&*root, 1, kNow};
  if (with_lists) policy.crls = &crls, policy.demand = CrlDemand::all;
  return verify_chain(certificates.back(), others, policy).code();
}

const Deviation* find(const std::vector<Deviation>& among, const std::string& number) {
  for (const Deviation& one : among) {
    if (std::count(one.tests.begin(), one.tests.end(), number) != 0) return &one;
  }
  return nullptr;
}

size_t count(const std::vector<Deviation>& all) {
  size_t out = 0;
  for (const Deviation& one : all) out += one.tests.size();
  return out;
}

void replay() {
  Der text = file_of(kSuite, "vectors.json");
  Result<Json> tests = parse_json(Bytes(text).text(), 1 << 20);
  REQUIRE(tests.ok());
  CHECK(tests->size() == 249);
  size_t stricter = 0, looser = 0, good = 0;
  for (const Json& test : *tests) {
    std::string name = test["Name"], number = number_of(name);
    CAPTURE(name);
    Code seen = judge(test, true);
    bool valid = test["ShouldValidate"];
    const Deviation* deviation = find(valid ? kStricter : kLooser, number);
    if (deviation == nullptr) {
      CHECK((seen == Code::ok) == valid);
      good += valid;
      continue;
    }
    CAPTURE(std::string(deviation->reason));
    CHECK(seen == deviation->code);
    CHECK((judge(test, false) == Code::ok) == deviation->path_is_good);
    ++(valid ? stricter : looser);
  }
  CHECK(stricter == count(kStricter));
  CHECK(looser == count(kLooser));
  CHECK(good == 114 - count(kStricter));
}
}  // namespace

TEST_CASE("NIST's PKITS: each path of its 249 is judged as the suite says, or differs for a stated reason") {
  if (std::getenv("CSTL_EVIDENCE") == nullptr) {
    MESSAGE("CSTL_EVIDENCE is not set: PKITS is not replayed");
    return;
  }
  SUBCASE("mbedTLS computes") { replay(); }
  SUBCASE("AWS-LC computes") {
    FastVerification fast;
    replay();
  }
}
