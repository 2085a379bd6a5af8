// The TPM's part of appraisal: quote, event log, PCRs, and the endorsement by the TPM's maker.
#include "attest/reference/compare.h"
#include "attest/reference/explain.h"
#include "crypto/base/log.h"

namespace cstl::reference {

namespace {
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

Status verify_endorsement(const Machine& machine, const ReferenceSet& set) {
  TRY(machine.endorsement.form);
  return verify_to_roots(machine.endorsement.leaf, machine.endorsement.others, set.ek_roots, machine.now);
}

void compare_endorsement(const Machine& machine, Comparison& out) {
  Claim claim = passed("ek.chain");
  claim.expected = out.set->allow_unendorsed_ak ? "a pinned root, or none" : "a pinned root";
  claim.component = "TPM";
  Code code = Code::ek_chain;
  if (machine.endorsement.leaf.empty()) {
    claim.result = ClaimResult::failed;
    claim.seen = "no endorsement certificate";
    claim.why = "the machine sent no endorsement certificate";
    code = Code::ek_missing;
  } else {
    Status chain = verify_endorsement(machine, *out.set);
    out.endorsed = out.activation = chain.ok();
    claim.seen = out.endorsed ? "a pinned root" : "no chain to a pinned root";
    if (!chain.ok()) {
      claim.result = ClaimResult::failed;
      claim.why = describe(chain.error());
    }
  }
  // Only the variants of virtual TPMs may go without; the loader refuses such a set for others, and so does this.
  if (!out.endorsed && out.set->allow_unendorsed_ak && may_be_unendorsed(out.set->variant)) {
    claim.result = ClaimResult::warned;
  }
  out.add(std::move(claim), code);
}

Bytes nonce_of(const Machine& machine) {
  return machine.foreign_nonce ? *machine.foreign_nonce : Bytes(machine.qualifier);
}

// One claim per step that was reached; false when one failed.
bool add_quote_claims(const Machine& machine, const Result<tpm::VerifiedQuote>& quote, tpm::QuoteStep reached,
                      Verdict& verdict) {
  for (unsigned step = 0; step < static_cast<unsigned>(reached); ++step) {
    verdict.claims.push_back(passed(tpm::quote_step_name(static_cast<tpm::QuoteStep>(step))));
  }
  if (quote.ok()) return true;
  Claim claim = failed(tpm::quote_step_name(reached), quote.error());
  Result<tpm::Attest> parsed = tpm::Attest::decode(machine.evidence.quote);
  if (parsed.ok() && reached == tpm::QuoteStep::nonce) {
    claim.expected = to_hex(nonce_of(machine));
    claim.seen = to_hex(parsed->extra_data);
  }
  if (parsed.ok() && reached == tpm::QuoteStep::digest) claim.expected = to_hex(parsed->pcr_digest);
  verdict.claims.push_back(std::move(claim));
  verdict.code = quote.code();
  return false;
}

// The evidence's log, if it replays. A log that does not explains nothing and decides the code.
void add_log_claim(Machine& machine, Verdict& verdict) {
  if (machine.evidence.event_log.empty()) return;
  Result<tpm::EventLog> decoded = tpm::EventLog::decode(machine.evidence.event_log);
  if (!decoded.ok()) {
    verdict.code = decoded.code() == Code::log_bank ? Code::log_bank : Code::log_malformed;
    verdict.claims.push_back(failed("log.form", decoded.error()));
    return;
  }
  uint32_t pcr = 0;
  Status replay = tpm::check_replay(*decoded, machine.quote->pcrs(), pcr);
  if (!replay.ok()) {
    verdict.code = replay.code();
    Claim claim = failed("log.replay", replay.error());
    claim.expected = to_hex(machine.quote->pcrs()[pcr]);
    claim.component = "PCR " + std::to_string(pcr);
    verdict.claims.push_back(std::move(claim));
    return;
  }
  verdict.claims.push_back(passed("log.replay"));
  machine.log = std::move(*decoded);
  machine.boot = tpm::BootState::of(*machine.log);
  add_boot_facts(*machine.boot, verdict.facts);
}
}  // namespace

bool verify_tpm(Machine& machine, Verdict& verdict) {
  machine.endorsement = read_endorsement(machine.evidence);
  tpm::QuoteStep reached = tpm::QuoteStep::form;
  Result<tpm::VerifiedQuote> quote =
      tpm::verify_quote(machine.evidence, nonce_of(machine), machine.endorsement.key.modulus, reached);
  if (!add_quote_claims(machine, quote, reached, verdict)) return false;
  verdict.code = Code::ok;
  verdict.pcrs = quote->pcrs();
  machine.quote = std::move(*quote);
  Result<tpm::Public> ak = tpm::Public::decode(machine.evidence.ak_public);
  if (ak.ok()) machine.ak = *ak;  // it is: the quote verified
  add_log_claim(machine, verdict);
  return true;
}

void compare_tpm(const Machine& machine, Comparison& out) {
  if (ak_root_of(out.set->variant) == AkRoot::ek) compare_endorsement(machine, out);
  for (const PcrReference& pcr : out.set->pcrs) {
    out.add(explain_pcr(pcr, machine.quote->pcrs()[pcr.index], machine.log ? &*machine.log : nullptr),
            Code::reference_mismatch);
  }
  if (out.set->secure_boot) out.add(secure_boot_claim(machine.boot ? &*machine.boot : nullptr), Code::reference_mismatch);
  const Digest32& cluster = machine.quote->pcrs()[kClusterPcr];
  out.cluster = ClusterRegister{ClusterRegister::pcr15, Bytes(cluster).copy()};
  Result<Digest32> identity =
      out.activation ? sha256({machine.endorsement.key.spki}) : sha256({machine.quote->ak_name()});
  if (identity.ok()) out.identity = *identity;
}

}  // namespace cstl::reference
