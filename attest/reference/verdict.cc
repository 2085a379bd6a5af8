#include <nlohmann/json.hpp>

#include "attest/reference/explain.h"
#include "crypto/base/utc.h"

namespace cstl {

namespace {
constexpr size_t kMaxSummary = 512;

const char* result_name(ClaimResult result) {
  switch (result) {
    case ClaimResult::passed: return "passed";
    case ClaimResult::warned: return "warned";
    case ClaimResult::failed: break;
  }
  return "failed";
}

const Claim* most_precise(const Verdict& verdict) {
  const Claim* best = nullptr;
  for (const Claim& claim : verdict.claims) {
    if (claim.result != ClaimResult::failed) continue;
    // What is wrong with the evidence itself goes before what differs from the set.
    bool own = claim.name.compare(0, 3, "pcr") != 0;
    if (own && verdict.code != Code::reference_mismatch) return &claim;
    if (best == nullptr || claim_rank(claim) > claim_rank(*best)) best = &claim;
  }
  return best;
}
}  // namespace

std::string Verdict::summary() const {
  if (passed()) {
    return "passed: " + std::string(variant_name(variant)) + ", set " + reference_set +
           (endorsed ? ", endorsed" : ", not endorsed");
  }
  std::string out = code_name(code);
  const Claim* claim = most_precise(*this);
  if (claim != nullptr) {
    out += ": " + claim->name;
    if (!claim->component.empty()) out += " (" + claim->component + ")";
    if (claim->name.compare(0, 3, "pcr") == 0) {
      out += " differs from set " + reference_set;
      if (!claim->why.empty()) out += ": " + claim->why;
    } else if (!claim->why.empty()) {
      out += ": " + claim->why;
    }
    if (claim->name.compare(0, 3, "pcr") == 0) out += "; expected " + claim->expected + ", seen " + claim->seen;
  } else {
    out += std::string(": ") + code_what(code);
  }
  if (out.size() > kMaxSummary) {
    out.resize(kMaxSummary - 3);
    out += "...";
  }
  return out;
}

std::string Verdict::to_text() const {
  std::string out = (passed() ? "passed" : "REFUSED: " + std::string(code_name(code)) + ": " + code_what(code));
  out += "\n  variant: " + std::string(variant_name(variant));
  if (!reference_set.empty()) out += "\n  reference set: " + reference_set;
  out += std::string("\n  endorsed: ") + (endorsed ? "yes" : "no");
  out += std::string("\n  trust: ") + trust_tier_name(trust_tier(*this));
  TrustVector vector = trust_vector(*this);
  for (const TrustVector::Row& row : TrustVector::rows()) {
    int8_t value = vector.*row.value;
    if (value != 0) out += std::string("\n    ") + row.name + ": " + trust_value_text(row.name, value);
  }
  if (appraised_at != 0) out += "\n  appraised: " + utc_text(appraised_at);
  if (validity.not_after != INT64_MAX) out += "\n  valid until: " + utc_text(validity.not_after);
  out += "\n";
  for (const Fact& fact : facts) out += "  " + fact.name + ": " + fact.value + "\n";
  for (const Claim& claim : claims) {
    std::string name = claim.name;
    name.resize(name.size() < 16 ? 16 : name.size(), ' ');
    out += "  " + std::string(result_name(claim.result)) + "  " + name;
    if (!claim.component.empty()) out += "  " + claim.component;
    out += "\n";
    if (claim.result == ClaimResult::passed) continue;
    if (!claim.why.empty()) out += "          " + claim.why + "\n";
    if (!claim.expected.empty()) out += "          expected  " + claim.expected + "\n";
    if (!claim.seen.empty()) out += "          seen      " + claim.seen + "\n";
  }
  if (!passed()) out += std::string("  what to do: ") + code_advice(code) + "\n";
  return out;
}

std::string Verdict::to_json() const {
  nlohmann::json list = nlohmann::json::array();
  for (const Claim& claim : claims) {
    list.push_back({{"name", claim.name},
                    {"result", result_name(claim.result)},
                    {"expected", claim.expected},
                    {"seen", claim.seen},
                    {"why", claim.why},
                    {"component", claim.component}});
  }
  nlohmann::json admitted = nlohmann::json::array();
  for (Role role : {Role::control_plane, Role::worker}) {
    if ((roles >> static_cast<unsigned>(role) & 1) != 0) admitted.push_back(role_name(role));
  }
  nlohmann::json values = nlohmann::json::array();
  for (const Digest32& pcr : pcrs) values.push_back(to_hex(pcr));
  nlohmann::json vector = nlohmann::json::object();
  TrustVector trust = trust_vector(*this);
  for (const TrustVector::Row& row : TrustVector::rows()) {
    if (trust.*row.value != 0) vector[row.name] = trust.*row.value;
  }
  nlohmann::json platform = nlohmann::json::object();
  for (const Fact& fact : facts) platform[fact.name] = fact.value;
  nlohmann::json root = {{"passed", passed()},
                         {"code", code_name(code)},
                         {"number", static_cast<unsigned>(code)},
                         {"summary", summary()},
                         {"variant", variant_name(variant)},
                         {"reference_set", reference_set},
                         {"endorsed", endorsed},
                         {"identity", to_hex(identity)},
                         {"roles", std::move(admitted)},
                         {"pcrs", std::move(values)},
                         {"claims", std::move(list)},
                         {"trust", {{"tier", trust_tier_name(trust_tier(*this))}, {"vector", std::move(vector)}}},
                         {"platform", std::move(platform)},
                         {"appraised_at", utc_text(appraised_at)},
                         {"valid_from", utc_text(validity.not_before)},
                         {"valid_until", utc_text(validity.not_after)}};
  return root.dump(2, ' ', true, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace cstl
