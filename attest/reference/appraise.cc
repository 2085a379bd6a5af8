#include "attest/reference/appraise.h"

#include <algorithm>

#include "attest/merkle.h"
#include "attest/reference/explain.h"
#include "attest/tpm/verify.h"
#include "crypto/base/log.h"
#include "crypto/x509.h"

namespace cstl {

namespace {
bool is_zero(const Digest32& value) { return value == Digest32{}; }

Claim failed(const char* name, const Error& error) {
  Claim claim;
  claim.name = name;
  claim.why = describe(error);
  return claim;
}

Claim passed(std::string name) {
  Claim claim;
  claim.name = std::move(name);
  claim.result = ClaimResult::passed;
  return claim;
}

// The set's view of the machine: what failed, how far it is from matching, and who vouches for the AK.
struct Comparison {
  const ReferenceSet* set = nullptr;
  Code code = Code::ok;
  size_t failures = 0;
  bool endorsed = false;
  std::vector<Claim> claims;

  void add(Claim claim, Code on_failure) {
    if (claim.result == ClaimResult::failed) {
      ++failures;
      if (code == Code::ok) code = on_failure;
    }
    claims.push_back(std::move(claim));
  }
};

struct Endorsement {
  Bytes leaf;
  std::vector<Bytes> others;
  PublicKey key;
  Status form;  // of the certificates; a bad one is no worse than none
};

Result<std::vector<Bytes>> split_chain(Bytes chain) {
  std::vector<Bytes> out;
  Reader r(chain);
  while (r.remaining() > 0) {
    if (out.size() == kMaxChain - 2) return fail(Code::too_long, "ek.chain_length");
    TRY_LET(Bytes certificate, r.bytes16(kMaxCertificate));
    out.push_back(certificate);
  }
  return out;
}

Endorsement read_endorsement(const Evidence& evidence) {
  Endorsement out;
  out.leaf = evidence.ek_certificate;
  if (out.leaf.empty()) return out;
  Result<std::vector<Bytes>> others = split_chain(evidence.ek_chain);
  Result<PublicKey> key = certificate_key(out.leaf);
  if (!others.ok()) out.form = others.error();
  else if (!key.ok()) out.form = key.error();
  else {
    out.others = std::move(*others);
    out.key = std::move(*key);
  }
  return out;
}

// To any one of the set's roots. Each is tried alone, with the peer's certificates, so that neither crowds out the other.
Status verify_endorsement(const Endorsement& endorsement, const ReferenceSet& set, int64_t now) {
  TRY(endorsement.form);
  Status last = fail(Code::untrusted_chain, "ek.no_root");
  for (const std::vector<uint8_t>& root : set.ek_roots) {
    TRY_LET(Digest32 pin, certificate_spki_hash(root));
    std::vector<Bytes> others = endorsement.others;
    bool sent = false;
    for (Bytes other : others) sent = sent || equal(other, root);
    if (!sent) others.push_back(root);
    last = verify_chain(endorsement.leaf, others, ChainPolicy{&pin, 1, now});
    if (last.ok()) break;
  }
  return last;
}

void compare_endorsement(const Endorsement& endorsement, int64_t now, Comparison& out) {
  Claim claim = passed("ek.chain");
  claim.expected = out.set->allow_unendorsed_ak ? "a pinned root, or none" : "a pinned root";
  claim.component = "TPM";
  Code code = Code::ek_chain;
  if (endorsement.leaf.empty()) {
    claim.result = ClaimResult::failed;
    claim.seen = "no endorsement certificate";
    claim.why = "the machine sent no endorsement certificate";
    code = Code::ek_missing;
  } else {
    Status chain = verify_endorsement(endorsement, *out.set, now);
    out.endorsed = chain.ok();
    claim.seen = out.endorsed ? "a pinned root" : "no chain to a pinned root";
    if (!chain.ok()) {
      claim.result = ClaimResult::failed;
      claim.why = describe(chain.error());
    }
  }
  // Only the variants of virtual TPMs may go without; the loader refuses such a set for `tpm`, and so does this.
  if (!out.endorsed && out.set->allow_unendorsed_ak && out.set->variant != Variant::tpm) {
    claim.result = ClaimResult::warned;
  }
  out.add(std::move(claim), code);
}

Comparison compare(const ReferenceSet& set, const Endorsement& endorsement, const tpm::PcrValues& pcrs,
                   const tpm::EventLog* log, int64_t now) {
  Comparison out;
  out.set = &set;
  Claim window = passed("reference.window");
  if (now < set.not_before || now >= set.not_after) {
    window.result = ClaimResult::failed;
    window.why = "the reference set is outside its validity window";
  }
  out.add(std::move(window), Code::reference_expired);
  compare_endorsement(endorsement, now, out);
  for (const PcrReference& pcr : set.pcrs) {
    out.add(explain_pcr(pcr, pcrs[pcr.index], log), Code::reference_mismatch);
  }
  return out;
}

Claim cluster_claim(const AppraisalPolicy& policy, const Digest32& seen, Code& code) {
  Claim claim = passed("cluster");
  claim.component = "cluster (PCR 15)";
  claim.seen = is_zero(seen) ? "in no cluster" : to_hex(seen);
  code = Code::ok;
  switch (policy.cluster) {
    case ClusterRule::any: return claim;
    case ClusterRule::outside:
      claim.expected = "in no cluster";
      if (!is_zero(seen)) code = Code::pcr_not_zero;
      break;
    case ClusterRule::inside:
      claim.expected = "in a cluster";
      if (is_zero(seen)) code = Code::cluster_mismatch;
      break;
    case ClusterRule::exactly: {
      Result<Digest32> expected = cluster_pcr(policy.cluster_id);
      claim.expected = expected.ok() ? to_hex(*expected) : "";
      if (!expected.ok() || *expected != seen) code = Code::cluster_mismatch;
      break;
    }
  }
  if (code != Code::ok) {
    claim.result = ClaimResult::failed;
    claim.why = code_what(code);
  }
  return claim;
}

// One claim per step that was reached; false when one failed.
bool add_quote_claims(const Evidence& evidence, const Digest32& qualifier, const Result<tpm::VerifiedQuote>& quote,
                      tpm::QuoteStep reached, Verdict& verdict) {
  for (unsigned step = 0; step < static_cast<unsigned>(reached); ++step) {
    verdict.claims.push_back(passed(tpm::quote_step_name(static_cast<tpm::QuoteStep>(step))));
  }
  if (quote.ok()) return true;
  Claim claim = failed(tpm::quote_step_name(reached), quote.error());
  Result<tpm::Attest> parsed = tpm::Attest::decode(evidence.quote);
  if (parsed.ok() && reached == tpm::QuoteStep::nonce) {
    claim.expected = to_hex(qualifier);
    claim.seen = to_hex(parsed->extra_data);
  }
  if (parsed.ok() && reached == tpm::QuoteStep::digest) claim.expected = to_hex(parsed->pcr_digest);
  verdict.claims.push_back(std::move(claim));
  verdict.code = quote.code();
  return false;
}

// The evidence's log, if it replays. A log that does not explains nothing and decides the code.
bool add_log_claim(const Evidence& evidence, const tpm::PcrValues& pcrs, tpm::EventLog& log, Verdict& verdict) {
  if (evidence.event_log.empty()) return false;
  Result<tpm::EventLog> decoded = tpm::EventLog::decode(evidence.event_log);
  if (!decoded.ok()) {
    verdict.code = Code::log_malformed;
    verdict.claims.push_back(failed("log.form", decoded.error()));
    return false;
  }
  uint32_t pcr = 0;
  Status replay = tpm::check_replay(*decoded, pcrs, pcr);
  if (!replay.ok()) {
    verdict.code = replay.code();
    Claim claim = failed("log.replay", replay.error());
    claim.expected = to_hex(pcrs[pcr]);
    claim.component = "PCR " + std::to_string(pcr);
    verdict.claims.push_back(std::move(claim));
    return false;
  }
  verdict.claims.push_back(passed("log.replay"));
  log = std::move(*decoded);
  return true;
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

Verdict appraise(Bytes evidence_bytes, const Digest32& binding, const AppraisalPolicy& policy) {
  Verdict verdict;
  verdict.appraised_at = policy.now;
  if (policy.values == nullptr) return refused(std::move(verdict), "reference", fail(Code::reference_empty, "reference"));
  Result<Evidence> decoded = Evidence::decode(evidence_bytes);
  if (!decoded.ok()) return refused(std::move(verdict), "evidence.form", decoded.error());
  const Evidence& evidence = *decoded;
  verdict.variant = evidence.variant;
  if (!variant_implemented(evidence.variant) || (policy.values->variants() & variant_bit(evidence.variant)) == 0) {
    return refused(std::move(verdict), "evidence.variant", fail(Code::variant_unknown, "evidence.variant"));
  }
  Result<Digest32> qualifier = qualifier_of(evidence, binding);
  if (!qualifier.ok()) return refused(std::move(verdict), "quote.tree", qualifier.error());

  Endorsement endorsement = read_endorsement(evidence);
  tpm::QuoteStep reached = tpm::QuoteStep::form;
  Result<tpm::VerifiedQuote> quote = tpm::verify_quote(evidence, *qualifier, endorsement.key.modulus, reached);
  if (!add_quote_claims(evidence, *qualifier, quote, reached, verdict)) return verdict;
  verdict.code = Code::ok;
  verdict.pcrs = quote->pcrs();

  tpm::EventLog log;
  bool has_log = add_log_claim(evidence, quote->pcrs(), log, verdict);

  Comparison best;
  for (const ReferenceSet& set : policy.values->sets) {
    if (set.variant != evidence.variant) continue;
    Comparison next = compare(set, endorsement, quote->pcrs(), has_log ? &log : nullptr, policy.now);
    if (best.set == nullptr || next.failures < best.failures) best = std::move(next);
  }
  verdict.reference_set = best.set->id;
  verdict.validity.narrow(best.set->not_before, best.set->not_after);
  verdict.endorsed = best.endorsed;
  if (verdict.code == Code::ok) verdict.code = best.code;
  std::move(best.claims.begin(), best.claims.end(), std::back_inserter(verdict.claims));

  Code cluster_code = Code::ok;
  verdict.claims.push_back(cluster_claim(policy, quote->pcrs()[kClusterPcr], cluster_code));
  if (verdict.code == Code::ok) verdict.code = cluster_code;

  Result<Digest32> identity = best.endorsed ? sha256({endorsement.key.spki}) : sha256({quote->ak_name()});
  if (!identity.ok()) return refused(std::move(verdict), "identity", identity.error());
  verdict.identity = *identity;
  // No role without a passed verdict, whoever forgets to look at the code.
  verdict.roles = verdict.passed() ? best.set->roles : 0;
  return verdict;
}

}  // namespace cstl
