#include "attest/exchange/ear.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "attest/platform/base64url.h"
#include "tests/harness/transparency_log.h"

using namespace cstl;

namespace {
constexpr int64_t kNow = 1800000000;

Verdict good() {
  Verdict out;
  out.code = Code::ok;
  out.reference_set = "prod-7";
  out.appraised_at = kNow;
  out.validity.narrow(kNow - 100, kNow + 60);
  Claim pcr;
  pcr.name = "pcr4";
  pcr.result = ClaimResult::passed;
  out.claims.push_back(pcr);
  out.facts.push_back({"tpm.firmware", "1.2"});
  return out;
}

Verdict bad() {
  Verdict out = good();
  out.code = Code::reference_mismatch;
  out.claims[0].result = ClaimResult::failed;
  out.claims[0].seen = "aa";
  return out;
}

nlohmann::json claims(const std::vector<EarMachine>& machines, const EarOptions& options) {
  auto text = ear_claims(machines, options);
  REQUIRE(text.ok());
  return nlohmann::json::parse(*text, nullptr, false);
}
}  // namespace

TEST_CASE("a passed verdict becomes an affirming result that lasts as long as what it rests on") {
  EarOptions options;
  options.now = kNow;
  auto root = claims({{"node-1", good()}}, options);
  CHECK(root["eat_profile"] == "tag:ietf.org,2026:rats/ear#04");
  CHECK(root["iat"] == kNow);
  CHECK(root["exp"] == kNow + 60);  // not the 300 seconds that were asked for
  CHECK(root["ear_status"] == "affirming");
  CHECK(root["ear_verifier_id"]["developer"] == "cstl");
  auto machine = root["submods"]["node-1"];
  CHECK(machine["ear_status"] == "affirming");
  CHECK(machine["ear_trustworthiness_vector"] == nlohmann::json({{"executables", 3}}));
  CHECK(machine["ear_appraisal_policy_ids"] == nlohmann::json::array({"cstl:reference-set:prod-7"}));
  CHECK(machine["ear_verifier_claims"]["cstl.code"] == "ok");
  CHECK(machine["ear_verifier_claims"]["cstl.platform"]["tpm.firmware"] == "1.2");
  CHECK(!root.contains("eat_nonce"));
}

TEST_CASE("the whole is no better than the worst of its machines") {
  EarOptions options;
  options.now = kNow;
  auto root = claims({{"a", good()}, {"b", bad()}}, options);
  CHECK(root["ear_status"] == "contraindicated");
  CHECK(root["submods"]["a"]["ear_status"] == "affirming");
  CHECK(root["submods"]["b"]["ear_status"] == "contraindicated");
  CHECK(root["submods"]["b"]["ear_verifier_claims"]["cstl.claims"][0]["result"] == "failed");
  CHECK(claims({{"a", good()}, {"b", Verdict()}}, options)["ear_status"] == "none");
}

TEST_CASE("a nonce is echoed, and bad options are refused") {
  EarOptions options;
  options.now = kNow;
  options.nonce = std::vector<uint8_t>(8, 0xff);
  CHECK(claims({{"a", good()}}, options)["eat_nonce"] == "__________8");
  for (size_t size : {7, 65}) {
    options.nonce.assign(size, 1);
    CHECK(ear_claims({{"a", good()}}, options).code() == Code::bad_value);
  }
  options.nonce.clear();
  CHECK(ear_claims({}, options).code() == Code::bad_value);
  CHECK(ear_claims({{"", good()}}, options).code() == Code::bad_value);
  CHECK(ear_claims({{"a\n", good()}}, options).code() == Code::bad_value);
  CHECK(ear_claims({{"a", good()}, {"a", good()}}, options).code() == Code::bad_value);
  options.lifetime = 0;
  CHECK(ear_claims({{"a", good()}}, options).code() == Code::bad_value);
}

TEST_CASE("the token is signed over its first two parts") {
  EarOptions options;
  options.now = kNow;
  SigningKey key = make_key();
  auto token = ear_token({{"a", good()}}, options, key);
  REQUIRE(token.ok());
  size_t second = token->rfind('.');
  size_t first = token->find('.');
  REQUIRE(first < second);
  auto header = from_base64url(token->substr(0, first), 1000);
  REQUIRE(header.ok());
  auto parsed = nlohmann::json::parse(Bytes(*header).text(), nullptr, false);
  CHECK(parsed["alg"] == "ES256");
  CHECK(parsed["typ"] == "JWT");
  auto signature = from_base64url(token->substr(second + 1), 64);
  REQUIRE(signature.ok());
  REQUIRE(signature->size() == 64);
  auto digest = sha256({Bytes(token->substr(0, second))});
  CHECK(verify_p256(key.point(), *digest, Bytes(*signature).first(32), Bytes(*signature).skip(32)).ok());
}
