// Intel TDX: the quote, its collateral, and the log of the RTMRs.
#include "attest/reference/compare_tee.h"
#include "attest/tdx/ccel.h"
#include "attest/tdx/reference.h"

namespace cstl::reference {

namespace {
// What the log of the RTMRs says was booted, if it is this TD's.
std::optional<tpm::BootState> boot_of(Bytes ccel, const tdx::TdReport& report) {
  Result<tpm::EventLog> log = tpm::EventLog::decode(ccel, tpm::kCcLog);
  uint32_t rtmr = 0;
  if (!log.ok() || !tdx::check_replay(*log, report.rtmr, rtmr).ok()) return std::nullopt;
  return tpm::BootState::of(*log);
}
}  // namespace

void compare_tdx(const Machine& machine, Bytes report_data, Comparison& out) {
  const tdx::Reference& reference = *out.set->tdx;
  const tdx::Trust trust = reference.trust(machine.now);
  std::optional<tdx::VerifiedCollateral> collateral;
  if (!machine.evidence.tee_collateral.empty()) {
    Result<tdx::Collateral> stapled = tdx::Collateral::decode(machine.evidence.tee_collateral);
    Result<tdx::VerifiedCollateral> verified =
        stapled.ok() ? tdx::verify_collateral(*stapled, trust, nullptr) : Result<tdx::VerifiedCollateral>(stapled.error());
    if (!verified.ok()) return out.stop(failed("tdx.collateral", verified.error()), verified.code());
    out.add(passed("tdx.collateral"), Code::ok);
    collateral = std::move(*verified);
  }
  tdx::QuoteStep reached = tdx::QuoteStep::form;
  Result<tdx::VerifiedQuote> quote =
      tdx::verify_quote(machine.evidence.tee_report, collateral ? &*collateral : nullptr, trust, report_data, reached);
  std::vector<tdx::QuoteStep> idle;
  if (!collateral) idle = {tdx::QuoteStep::revocation, tdx::QuoteStep::collateral_window, tdx::QuoteStep::tcb};
  if (report_data.empty()) idle.push_back(tdx::QuoteStep::report_data);
  add_steps(reached, tdx::quote_step_name, idle, out);
  if (!quote.ok()) {
    Claim claim = failed(tdx::quote_step_name(reached), quote.error());
    if (reached == tdx::QuoteStep::report_data) claim.expected = to_hex(report_data);
    return out.stop(std::move(claim), quote.code());
  }
  out.validity.narrow(quote->not_before(), quote->not_after() + 1);
  const size_t first = out.claims.size();
  count_failures(first, tdx::appraise(*quote, reference, machine.evidence.ccel, out.claims), out);
  tdx::facts_of(*quote, out.facts);
  if (has_tpm(out.set->variant)) return;
  std::optional<tpm::BootState> boot = boot_of(machine.evidence.ccel, quote->report());
  if (boot) add_boot_facts(*boot, out.facts);
  if (out.set->secure_boot) out.add(secure_boot_claim(boot ? &*boot : nullptr), Code::reference_mismatch);
  out.cluster = ClusterRegister{ClusterRegister::rtmr3, Bytes(quote->report().rtmr[3]).copy()};
  out.endorsed = true;
  set_identity({"cstl-tdx-1", quote->platform(), quote->report().mr_config_id}, out);
}

}  // namespace cstl::reference
