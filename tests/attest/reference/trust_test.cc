#include "attest/reference/trust.h"

#include <doctest/doctest.h>

#include "attest/reference/appraise.h"

using namespace cstl;

namespace {
Claim claim(const char* name, ClaimResult result) {
  Claim out;
  out.name = name;
  out.result = result;
  return out;
}

Verdict verdict(Variant variant, Code code, std::vector<Claim> claims) {
  Verdict out;
  out.variant = variant;
  out.code = code;
  out.claims = std::move(claims);
  return out;
}
}  // namespace

TEST_CASE("the tiers have the bounds of AR4SI") {
  struct Row {
    int value;
    TrustTier tier;
  };
  const Row rows[] = {{-128, TrustTier::contraindicated}, {-97, TrustTier::contraindicated}, {-96, TrustTier::warning},
                      {-33, TrustTier::warning},          {-32, TrustTier::affirming},       {-2, TrustTier::affirming},
                      {-1, TrustTier::none},              {0, TrustTier::none},              {1, TrustTier::none},
                      {2, TrustTier::affirming},          {31, TrustTier::affirming},        {32, TrustTier::warning},
                      {95, TrustTier::warning},           {96, TrustTier::contraindicated},  {127, TrustTier::contraindicated}};
  for (const Row& row : rows) {
    CAPTURE(row.value);
    CHECK(tier_of(static_cast<int8_t>(row.value)) == row.tier);
  }
}

TEST_CASE("each claim moves the part of the vector that it is about") {
  constexpr ClaimResult kPassed = ClaimResult::passed, kWarned = ClaimResult::warned, kFailed = ClaimResult::failed;
  struct Row {
    const char* name;
    Claim claim;
    Code code;
    Variant variant;
    const char* member;  // the only one that is not 0; nullptr: all are
    int value;
    TrustTier tier;
  };
  const Row rows[] = {
      {"the kernel matches", claim("pcr4", kPassed), Code::ok, Variant::qemu_vtpm, "executables", 3, TrustTier::affirming},
      {"the initrd differs", claim("pcr9", kFailed), Code::reference_mismatch, Variant::qemu_vtpm, "executables", 33,
       TrustTier::contraindicated},
      {"firmware settings differ and that only warns", claim("pcr1", kWarned), Code::ok, Variant::qemu_vtpm,
       "configuration", 32, TrustTier::warning},
      {"PCR 10 is not PCR 1", claim("pcr10", kPassed), Code::ok, Variant::qemu_vtpm, "executables", 3, TrustTier::affirming},
      {"a missing endorsement that the set allows is no claim", claim("ek.chain", kWarned), Code::ok, Variant::qemu_vtpm,
       "", 0, TrustTier::warning},
      {"a missing endorsement", claim("ek.chain", kFailed), Code::ek_missing, Variant::tpm, "instance-identity", 97,
       TrustTier::contraindicated},
      {"a foreign measurement", claim("snp.measurement", kFailed), Code::reference_mismatch, Variant::sev_snp,
       "executables", 33, TrustTier::contraindicated},
      {"debugging is on", claim("snp.policy", kFailed), Code::reference_mismatch, Variant::sev_snp, "configuration", 96,
       TrustTier::contraindicated},
      {"an old TCB that the set accepts by name", claim("tdx.tcb_status", kWarned), Code::ok, Variant::tdx, "hardware", 32,
       TrustTier::warning},
      {"a foreign processor", claim("tdx.pck_chain", kFailed), Code::untrusted_chain, Variant::tdx, "hardware", 97,
       TrustTier::contraindicated},
      {"a bad signature says nothing else", claim("pcr4", kPassed), Code::quote_signature, Variant::qemu_vtpm, nullptr, 99,
       TrustTier::contraindicated},
      {"what could not be read says nothing else", claim("evidence.form", kFailed), Code::evidence_malformed,
       Variant::qemu_vtpm, nullptr, 1, TrustTier::contraindicated},
      {"the cluster is no part of the vector", claim("cluster", kFailed), Code::cluster_mismatch, Variant::qemu_vtpm, "", 0,
       TrustTier::contraindicated},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Verdict subject = verdict(row.variant, row.code, {row.claim});
    TrustVector vector = trust_vector(subject);
    for (const TrustVector::Row& entry : TrustVector::rows()) {
      CAPTURE(entry.name);
      int expected = row.member == nullptr || std::string(row.member) == entry.name ? row.value : 0;
      CHECK(static_cast<int>(vector.*entry.value) == expected);
      if (expected != 0) CHECK(trust_value_text(entry.name, static_cast<int8_t>(expected)) != std::string());
    }
    CHECK(trust_tier(subject) == row.tier);
  }
}

TEST_CASE("the worst claim about a subject counts, in either order") {
  Claim good = claim("pcr4", ClaimResult::passed), bad = claim("pcr9", ClaimResult::failed);
  for (const auto& claims : {std::vector<Claim>{good, bad}, std::vector<Claim>{bad, good}}) {
    CHECK(trust_vector(verdict(Variant::qemu_vtpm, Code::reference_mismatch, claims)).executables == 33);
  }
}

TEST_CASE("memory is opaque only where a processor's own key said so") {
  std::vector<Claim> debug_allowed = {claim("snp.chain", ClaimResult::passed)};
  std::vector<Claim> chain = {debug_allowed.front(), claim("snp.policy.debug", ClaimResult::passed)};
  CHECK(trust_vector(verdict(Variant::sev_snp, Code::ok, debug_allowed)).runtime_opaque == 0);
  CHECK(trust_vector(verdict(Variant::sev_snp, Code::ok, chain)).runtime_opaque == 2);
  CHECK(trust_vector(verdict(Variant::sev_snp, Code::ok, {})).runtime_opaque == 0);
  CHECK(trust_vector(verdict(Variant::qemu_vtpm, Code::ok, chain)).runtime_opaque == 0);
  CHECK(trust_vector(verdict(Variant::sev_snp, Code::reference_mismatch, chain)).runtime_opaque == 0);
}

TEST_CASE("a verifier that could not appraise makes no claim") {
  CHECK(trust_tier(verdict(Variant::qemu_vtpm, Code::internal, {})) == TrustTier::none);
  CHECK(trust_tier(verdict(Variant::qemu_vtpm, Code::reference_empty, {})) == TrustTier::none);
}
