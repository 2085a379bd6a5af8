#include "attest/reference/appraise_foreign.h"

#include "attest/reference/compare_tee.h"

namespace cstl {

using reference::Comparison;
using reference::failed;
using reference::Machine;
using reference::passed;

namespace {
bool fits(const ReferenceSet& set, Variant variant) {
  if (variant == Variant::sev_snp) return set.snp.has_value();
  if (variant == Variant::tdx) return set.tdx.has_value();
  return !set.pcrs.empty() && ak_root_of(set.variant) == AkRoot::ek;
}

Comparison compare(const ReferenceSet& set, const Machine& machine, Bytes report_data) {
  Comparison out = reference::compare_window(set, machine);
  switch (machine.evidence.variant) {
    case Variant::sev_snp: reference::compare_snp(machine, report_data, out); break;
    case Variant::tdx: reference::compare_tdx(machine, report_data, out); break;
    default: reference::compare_tpm(machine, out); break;
  }
  return out;
}

Claim warning(const char* name, const char* why) {
  Claim claim = passed(name);
  claim.result = ClaimResult::warned;
  claim.why = why;
  return claim;
}

Verdict refused(Verdict verdict, const char* claim, const Error& error) {
  verdict.code = error.code;
  verdict.claims.push_back(failed(claim, error));
  return verdict;
}
}  // namespace

Verdict appraise_foreign(const ForeignEvidence& evidence, const AppraisalPolicy& policy) {
  Verdict verdict;
  verdict.appraised_at = policy.now;
  verdict.variant = evidence.items.variant;
  if (policy.values == nullptr) return refused(std::move(verdict), "reference", fail(Code::reference_empty, "reference"));
  if (policy.values->expired(policy.now)) {
    return refused(std::move(verdict), "reference", fail(Code::reference_expired, "reference.expires"));
  }
  if (policy.values->expires != 0) verdict.validity.narrow(0, policy.values->expires);
  const bool tpm = verdict.variant == Variant::tpm;
  // Empty, REPORT_DATA would not be compared at all.
  if (!tpm && evidence.bound_to && evidence.bound_to->empty()) {
    return refused(std::move(verdict), "evidence.binding", fail(Code::bad_value, "foreign.binding"));
  }
  if (!tpm && verdict.variant != Variant::sev_snp && verdict.variant != Variant::tdx) {
    return refused(std::move(verdict), "evidence.variant", fail(Code::variant_unknown, "foreign.variant"));
  }
  Machine machine;
  machine.evidence = evidence.items;
  machine.now = policy.now;
  verdict.code = Code::ok;
  if (tpm) {
    // Without a nonce to compare with, the quote's own is as good as any.
    Result<tpm::Attest> quote = tpm::Attest::decode(evidence.items.quote);
    machine.foreign_nonce = evidence.bound_to ? *evidence.bound_to : quote.ok() ? quote->extra_data : Bytes();
    if (!reference::verify_tpm(machine, verdict)) return verdict;
  }

  Comparison best;
  for (const ReferenceSet& set : policy.values->sets) {
    if (!fits(set, verdict.variant)) continue;
    Comparison next = compare(set, machine, evidence.bound_to ? *evidence.bound_to : Bytes());
    if (best.set == nullptr || next.distance < best.distance) best = std::move(next);
  }
  if (best.set == nullptr) {
    return refused(std::move(verdict), "evidence.variant", fail(Code::variant_unknown, "foreign.set"));
  }
  verdict.reference_set = best.set->id;
  verdict.validity.narrow(best.validity.not_before, best.validity.not_after);
  verdict.endorsed = best.endorsed;
  if (verdict.code == Code::ok) verdict.code = best.code;
  verdict.claims.insert(verdict.claims.end(), best.claims.begin(), best.claims.end());
  verdict.facts.insert(verdict.facts.end(), best.facts.begin(), best.facts.end());
  if (!evidence.bound_to) {
    verdict.claims.push_back(warning("evidence.binding", "nothing to compare its nonce with: it may be anyone's, of any time"));
  } else {
    verdict.claims.push_back(passed("evidence.binding"));
  }
  if (best.identity) verdict.identity = *best.identity;
  verdict.activation = best.activation;
  without_activation(verdict);
  verdict.roles = verdict.passed() ? best.set->roles : 0;
  return verdict;
}

void without_activation(Verdict& verdict) {
  if (!verdict.activation) return;
  constexpr const char* kWhy = "a file cannot show that the AK is inside of the TPM that is endorsed";
  for (Claim& claim : verdict.claims) {
    if (claim.name != "ek.chain" || claim.result != ClaimResult::passed) continue;
    claim.result = ClaimResult::warned;
    claim.why = kWhy;
  }
  verdict.claims.push_back(warning("ek.activation", kWhy));
  verdict.endorsed = false;
  verdict.identity = {};
}

}  // namespace cstl
