// The TEE's part of appraisal: SEV-SNP report or TDX quote, verified with the roots that the set pins, bound to this session
// and this AK, and compared with what the set expects.
#include "attest/reference/compare_tee.h"

#include "attest/platform/ak.h"
#include "attest/snp/collateral.h"
#include "attest/snp/reference.h"

namespace cstl::reference {

namespace {
bool on_azure(Variant v) { return v == Variant::azure_sev_snp || v == Variant::azure_tdx; }

// What REPORT_DATA must hold: 64 bytes, or Azure's 32.
Result<std::vector<uint8_t>> expected_report_data(const Machine& machine) {
  if (on_azure(machine.evidence.variant)) {
    TRY_LET(Digest32 digest, sha256({machine.evidence.runtime_data}));
    return Bytes(digest).copy();
  }
  TRY_LET(Digest64 digest, tee_report_data(machine.qualifier, machine.evidence));
  return Bytes(digest).copy();
}
}  // namespace

void count_failures(size_t first, Code code, Comparison& out) {
  for (size_t i = first; i < out.claims.size(); ++i) {
    if (out.claims[i].result == ClaimResult::failed) ++out.distance;
  }
  if (out.code == Code::ok) out.code = code;
}

void set_identity(std::initializer_list<Bytes> parts, Comparison& out) {
  if (Result<Digest32> identity = sha256(parts); identity.ok()) out.identity = *identity;
}

void compare_snp(const Machine& machine, Bytes report_data, Comparison& out) {
  const snp::Reference& reference = *out.set->snp;
  Result<std::vector<Bytes>> certificates = snp::certificate_list(machine.evidence.tee_certificates);
  if (!certificates.ok()) return out.stop(failed("snp.certificate", certificates.error()), certificates.code());
  std::vector<Bytes> crls;
  if (!machine.evidence.tee_collateral.empty()) {
    Result<snp::Collateral> collateral = snp::Collateral::decode(machine.evidence.tee_collateral);
    if (!collateral.ok()) return out.stop(failed("snp.collateral", collateral.error()), collateral.code());
    crls = collateral->crls();
  }
  snp::VerifyPolicy policy = reference.verify_policy(machine.now);
  policy.crls = &crls;
  snp::ReportStep reached = snp::ReportStep::form;
  Result<snp::VerifiedReport> report =
      snp::verify_report(machine.evidence.tee_report, *certificates, policy, report_data, reached);
  std::vector<snp::ReportStep> idle;
  if (report.ok() ? !report->leaf().crl_checked() : crls.empty()) idle.push_back(snp::ReportStep::revocation);
  if (report_data.empty()) idle.push_back(snp::ReportStep::report_data);
  add_steps(reached, snp::report_step_name, idle, out);
  if (!report.ok()) {
    Claim claim = failed(snp::report_step_name(reached), report.error());
    if (reached == snp::ReportStep::report_data) claim.expected = to_hex(report_data);
    return out.stop(std::move(claim), report.code());
  }
  out.validity.narrow(report->not_before(), report->not_after() + 1);
  const size_t first = out.claims.size();
  count_failures(first, snp::appraise(*report, reference, out.claims), out);
  snp::facts_of(*report, out.facts);
  if (has_tpm(out.set->variant)) return;
  out.cluster = ClusterRegister{ClusterRegister::asserted, machine.evidence.registers.copy()};
  out.endorsed = true;
  // Machines on one chip differ by what their launch was given.
  if (report->chip_known()) set_identity({"cstl-snp-1", report->chip_id(), report->report().host_data}, out);
}

void compare_tee(const Machine& machine, Comparison& out) {
  const Variant variant = out.set->variant;
  if (!has_snp(variant) && !has_tdx(variant)) return;
  const size_t before = out.distance;
  Result<std::vector<uint8_t>> report_data = expected_report_data(machine);
  if (!report_data.ok()) {
    out.stop(failed("tee.report_data", report_data.error()), report_data.code());
  } else if (has_snp(variant)) {
    compare_snp(machine, *report_data, out);
  } else {
    compare_tdx(machine, *report_data, out);
  }
  // What the report was to vouch for, nothing vouches for.
  if (out.distance != before) out.endorsed = false;
}

}  // namespace cstl::reference
