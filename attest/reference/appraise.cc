#include "attest/reference/appraise.h"

#include <algorithm>

#include "attest/merkle.h"
#include "attest/reference/compare.h"

namespace cstl {

using reference::ClusterRegister;
using reference::Comparison;
using reference::failed;
using reference::Machine;
using reference::passed;

namespace {
Comparison compare(const ReferenceSet& set, const Machine& machine) {
  Comparison out = reference::compare_window(set, machine);
  reference::compare_ak(machine, out);
  reference::compare_tee(machine, out);
  if (machine.quote) reference::compare_tpm(machine, out);
  return out;
}

Result<std::vector<uint8_t>> expected_register(ClusterRegister::Kind kind, const Digest32& cluster_id) {
  if (kind == ClusterRegister::rtmr3) {
    TRY_LET(Digest48 rtmr, cluster_rtmr(cluster_id));
    return Bytes(rtmr).copy();
  }
  TRY_LET(Digest32 pcr, cluster_pcr(cluster_id));
  return Bytes(pcr).copy();
}

Claim cluster_claim(const AppraisalPolicy& policy, const ClusterRegister& seen, Code& code) {
  Claim claim = passed("cluster");
  claim.component = seen.name();
  const bool known = !seen.value.empty();
  const bool zero = known && std::all_of(seen.value.begin(), seen.value.end(), [](uint8_t byte) { return byte == 0; });
  claim.seen = !known ? "not known" : zero ? "in no cluster" : to_hex(seen.value);
  code = Code::ok;
  switch (policy.cluster) {
    case ClusterRule::any: return claim;
    case ClusterRule::outside:
      claim.expected = "in no cluster";
      if (!zero) code = known ? Code::pcr_not_zero : Code::cluster_mismatch;
      break;
    case ClusterRule::inside:
      claim.expected = "in a cluster";
      if (zero || !known) code = Code::cluster_mismatch;
      break;
    case ClusterRule::exactly: {
      Result<std::vector<uint8_t>> expected = expected_register(seen.kind, policy.cluster_id);
      claim.expected = expected.ok() ? to_hex(*expected) : "";
      if (!expected.ok() || *expected != seen.value) code = Code::cluster_mismatch;
      break;
    }
  }
  if (code != Code::ok) {
    claim.result = ClaimResult::failed;
    claim.why = code_what(code);
  }
  return claim;
}

Result<Digest32> qualifier_of(const Evidence& evidence, const Digest32& binding) {
  TRY_LET(MerklePath path, MerklePath::decode(evidence.merkle));
  TRY_LET(Digest32 root, merkle_root_of(path, binding));
  return quote_qualifier(root);
}

Verdict refused(Verdict verdict, const char* claim, const Error& error) {
  verdict.code = error.code;
  verdict.claims.push_back(failed(claim, error));
  return verdict;
}
}  // namespace

Result<Digest32> cluster_pcr(const Digest32& cluster_id) {
  TRY_LET(Digest32 event, sha256({cluster_id}));
  return sha256({Digest32{}, event});
}

Result<Digest48> cluster_rtmr(const Digest32& cluster_id) {
  TRY_LET(Digest48 event, sha384({cluster_id}));
  return sha384({Digest48{}, event});
}

Verdict appraise(Bytes evidence_bytes, const Digest32& binding, const AppraisalPolicy& policy) {
  Verdict verdict;
  verdict.appraised_at = policy.now;
  if (policy.values == nullptr) return refused(std::move(verdict), "reference", fail(Code::reference_empty, "reference"));
  // The loader looked when it read the document; that may be long ago.
  if (policy.values->expired(policy.now)) {
    return refused(std::move(verdict), "reference", fail(Code::reference_expired, "reference.expires"));
  }
  if (policy.values->expires != 0) verdict.validity.narrow(0, policy.values->expires);
  Result<Evidence> decoded = Evidence::decode(evidence_bytes);
  if (!decoded.ok()) return refused(std::move(verdict), "evidence.form", decoded.error());
  Machine machine;
  machine.evidence = *decoded;
  machine.now = policy.now;
  verdict.variant = decoded->variant;
  if (!variant_implemented(verdict.variant) || (policy.values->variants() & variant_bit(verdict.variant)) == 0) {
    return refused(std::move(verdict), "evidence.variant", fail(Code::variant_unknown, "evidence.variant"));
  }
  Result<Digest32> qualifier = qualifier_of(machine.evidence, binding);
  if (!qualifier.ok()) return refused(std::move(verdict), "quote.tree", qualifier.error());
  machine.qualifier = *qualifier;
  verdict.code = Code::ok;
  if (has_tpm(verdict.variant) && !reference::verify_tpm(machine, verdict)) return verdict;

  Comparison best;
  for (const ReferenceSet& set : policy.values->sets) {
    if (set.variant != verdict.variant) continue;
    Comparison next = compare(set, machine);
    if (best.set == nullptr || next.distance < best.distance) best = std::move(next);
  }
  verdict.reference_set = best.set->id;
  verdict.validity.narrow(best.validity.not_before, best.validity.not_after);
  verdict.endorsed = best.endorsed;
  verdict.activation = best.activation;
  if (verdict.code == Code::ok) verdict.code = best.code;
  std::move(best.claims.begin(), best.claims.end(), std::back_inserter(verdict.claims));
  std::move(best.facts.begin(), best.facts.end(), std::back_inserter(verdict.facts));

  Code cluster_code = Code::ok;
  verdict.claims.push_back(cluster_claim(policy, best.cluster, cluster_code));
  if (verdict.code == Code::ok) verdict.code = cluster_code;

  if (best.identity) verdict.identity = *best.identity;
  else if (verdict.passed()) return refused(std::move(verdict), "identity", fail(Code::platform_identity, "identity"));
  // No role without a passed verdict, whoever forgets to look at the code.
  verdict.roles = verdict.passed() ? best.set->roles : 0;
  return verdict;
}

}  // namespace cstl
