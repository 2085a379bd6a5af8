#include "attest/exchange/ear.h"

#include <algorithm>

#include "attest/platform/base64url.h"
#include "attest/reference/signed.h"
#include "crypto/base/json.h"
#include "crypto/base/utc.h"
#include "crypto/key_file.h"

namespace cstl {

namespace {
using Json = nlohmann::json;
constexpr size_t kMaxLabel = 256;
constexpr const char* kProfile = "tag:ietf.org,2026:rats/ear#04";
constexpr const char* kResults[] = {"passed", "warned", "failed"};

bool label_ok(const std::string& label) {
  if (label.empty() || label.size() > kMaxLabel) return false;
  return std::all_of(label.begin(), label.end(), [](char c) { return c >= 0x20 && c <= 0x7e; });
}

Json claims_of(const Verdict& verdict) {
  Json list = Json::array();
  for (const Claim& claim : verdict.claims) {
    Json entry = {{"name", claim.name}, {"result", kResults[static_cast<size_t>(claim.result)]}};
    if (!claim.expected.empty()) entry["expected"] = claim.expected;
    if (!claim.seen.empty()) entry["seen"] = claim.seen;
    if (!claim.why.empty()) entry["why"] = claim.why;
    list.push_back(std::move(entry));
  }
  Json platform = Json::object();
  for (const Fact& fact : verdict.facts) platform[fact.name] = fact.value;
  Json out = {{"cstl.code", code_name(verdict.code)},
              {"cstl.summary", verdict.summary()},
              {"cstl.variant", variant_name(verdict.variant)},
              {"cstl.endorsed", verdict.endorsed},
              {"cstl.identity", to_hex(verdict.identity)},
              {"cstl.claims", std::move(list)}};
  if (!platform.empty()) out["cstl.platform"] = std::move(platform);
  return out;
}

Json appraisal_of(const Verdict& verdict) {
  Json vector = Json::object();
  TrustVector trust = trust_vector(verdict);
  for (const TrustVector::Row& row : TrustVector::rows()) {
    if (trust.*row.value != 0) vector[row.name] = trust.*row.value;
  }
  // A vector must not be empty, and 0 says that no claim is made.
  if (vector.empty()) vector["instance-identity"] = 0;
  Json out = {{"ear_status", trust_tier_name(trust_tier(verdict))},
              {"ear_trustworthiness_vector", std::move(vector)},
              {"ear_verifier_claims", claims_of(verdict)}};
  if (!verdict.reference_set.empty()) {
    out["ear_appraisal_policy_ids"] = Json::array({"cstl:reference-set:" + verdict.reference_set});
  }
  return out;
}

std::string dump(const Json& value) { return value.dump(-1, ' ', true, Json::error_handler_t::replace); }
}  // namespace

Result<std::string> ear_claims(const std::vector<EarMachine>& machines, const EarOptions& options) {
  if (machines.empty() || machines.size() > kMaxEarMachines) return fail(Code::bad_value, "ear.machines");
  if (options.now <= 0 || options.lifetime < 1) return fail(Code::bad_value, "ear.time");
  int64_t expires = options.now + options.lifetime;
  TrustTier worst = TrustTier::affirming;
  bool none = false;
  Json submods = Json::object();
  for (const EarMachine& machine : machines) {
    if (!label_ok(machine.label) || submods.contains(machine.label)) return fail(Code::bad_value, "ear.label");
    TrustTier tier = trust_tier(machine.verdict);
    none = none || tier == TrustTier::none;
    worst = std::max(worst, tier);
    if (machine.verdict.passed()) expires = std::min(expires, machine.verdict.validity.not_after);
    submods[machine.label] = appraisal_of(machine.verdict);
  }
  // What could not be appraised is not affirmed, and takes nothing from what is worse.
  if (none && worst != TrustTier::contraindicated) worst = TrustTier::none;
  Json root = {{"eat_profile", kProfile},
               {"iat", options.now},
               {"exp", std::max(expires, options.now)},
               {"ear_status", trust_tier_name(worst)},
               {"ear_verifier_id", {{"developer", "cstl"}, {"build", "cstl " CSTL_VERSION}}},
               {"submods", std::move(submods)}};
  if (!options.nonce.empty()) {
    if (options.nonce.size() < kMinEarNonce || options.nonce.size() > kMaxEarNonce) return fail(Code::bad_value, "ear.nonce");
    root["eat_nonce"] = to_base64url(options.nonce);
  }
  return dump(root);
}

Result<std::string> ear_token(const std::vector<EarMachine>& machines, const EarOptions& options, const SigningKey& key) {
  TRY_LET(std::string claims, ear_claims(machines, options));
  TRY_LET(PublicKey shown, parse_public_key(p256_spki(key.point())));
  TRY_LET(std::string id, signer_id(shown));
  std::string token = to_base64url(Bytes(dump({{"alg", "ES256"}, {"typ", "JWT"}, {"kid", id}}))) + "." +
                      to_base64url(Bytes(claims));
  TRY_LET(Digest32 digest, sha256({Bytes(token)}));
  TRY_LET(P256Signature signature, key.sign(digest));
  return token + "." + to_base64url(signature);
}

}  // namespace cstl
