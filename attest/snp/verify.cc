#include "attest/snp/verify.h"

#include <algorithm>

#include "crypto/public_key.h"
#include "crypto/x509.h"

namespace cstl::snp {

namespace {
constexpr uint32_t kLowestVmpl = 3;

void narrow(int64_t* from, int64_t* until, int64_t not_before, int64_t not_after) {
  *from = std::max(*from, not_before);
  *until = std::min(*until, not_after);
}

bool about_revocation(Code code) {
  switch (code) {
    case Code::certificate_revoked:
    case Code::crl_malformed:
    case Code::crl_signature:
    case Code::crl_expired:
    case Code::crl_not_yet_valid:
    case Code::crl_missing: return true;
    default: return false;
  }
}

Status check_chain(const std::vector<Bytes>& certificates, Product product, const VerifyPolicy& policy,
                   ReportStep& reached) {
  reached = ReportStep::chain;
  if (policy.now <= 0) return fail(Code::certificate_not_yet_valid, "report.clock");
  const Roots& roots = policy.roots.of[static_cast<size_t>(product)];
  ChainPolicy chain{roots.hashes, roots.count, policy.now, policy.crls,
                    policy.crl_required ? CrlDemand::intermediates : CrlDemand::none, true};
  std::vector<Bytes> others(certificates.begin() + 1, certificates.end());
  Status verified = verify_chain(certificates[0], others, chain);
  if (verified.ok()) return success();
  Error error = verified.error();
  if (about_revocation(error.code)) reached = ReportStep::revocation;
  else if (error.code == Code::untrusted_chain || error.code == Code::bad_certificate) error.code = Code::snp_chain;
  return error;
}
// By a pinned root, and current. Others are of certificates that are none of the chain's.
bool is_of_root(const Crl& crl, const std::vector<Bytes>& certificates, const Roots& roots, int64_t now) {
  return std::any_of(certificates.begin(), certificates.end(), [&](Bytes certificate) {
    Result<Digest32> pin = certificate_spki_hash(certificate);
    bool pinned = pin.ok() && std::find(roots.hashes, roots.hashes + roots.count, *pin) != roots.hashes + roots.count;
    return pinned && crl.verify(certificate, now).ok();
  });
}
}  // namespace

const char* report_step_name(ReportStep step) {
  switch (step) {
    case ReportStep::form: return "snp.form";
    case ReportStep::leaf: return "snp.certificate";
    case ReportStep::chain: return "snp.chain";
    case ReportStep::revocation: return "snp.crl";
    case ReportStep::signing_key: return "snp.signing_key";
    case ReportStep::product: return "snp.product";
    case ReportStep::chip_id: return "snp.chip_id";
    case ReportStep::tcb: return "snp.tcb";
    case ReportStep::signature: return "snp.signature";
    case ReportStep::report_data: return "snp.report_data";
    case ReportStep::vmpl: return "snp.vmpl";
    case ReportStep::done: break;
  }
  return "snp";
}

Status check_report_data(const Report& report, Bytes expected) {
  Digest64 whole{};
  if (expected.size() != whole.size() && expected.size() != whole.size() / 2)
    return fail(Code::bad_value, "report.expected_data");
  std::copy(expected.begin(), expected.end(), whole.begin());
  if (whole != report.report_data) return fail(Code::snp_report_data, "report.data");
  return success();
}

Result<VerifiedLeaf> verify_leaf(const std::vector<Bytes>& certificates, const VerifyPolicy& policy,
                                 ReportStep& reached) {
  reached = ReportStep::leaf;
  if (certificates.empty()) return fail(Code::snp_certificate_missing, "report.leaf");
  TRY_LET(Leaf leaf, Leaf::parse(certificates[0]));
  VerifiedLeaf out;
  Result<PublicKey> key = parse_public_key(leaf.view.spki);
  if (!key.ok() || key->kind != KeyKind::p384 || key->point.size() != out.key_.size())
    return fail(Code::snp_certificate_malformed, "certificate.key");
  std::copy(key->point.begin(), key->point.end(), out.key_.begin());
  TRY(check_chain(certificates, leaf.product, policy, reached));

  out.kind_ = leaf.kind;
  out.product_ = leaf.product;
  out.named_product_ = product_from(leaf.product_name.text());
  out.tcb_ = leaf.tcb_raw;
  out.csp_id_ = leaf.csp_id.text();
  std::copy(leaf.hwid.begin(), leaf.hwid.end(), out.chip_id_.begin());
  for (Bytes der : certificates) {
    TRY_LET(CertificateView view, CertificateView::parse(der));
    narrow(&out.not_before_, &out.not_after_, view.not_before, view.not_after);
  }
  if (policy.crls != nullptr) {
    for (Bytes der : *policy.crls) {
      TRY_LET(Crl crl, Crl::parse(der));
      if (!is_of_root(crl, certificates, policy.roots.of[static_cast<size_t>(leaf.product)], policy.now)) continue;
      out.crl_checked_ = true;
      narrow(&out.not_before_, &out.not_after_, crl.this_update(), crl.next_update());
    }
  }
  return out;
}

// From signing_key to signature.
Status VerifiedReport::check(Bytes raw, ReportStep& reached) const {
  reached = ReportStep::signing_key;
  if (report_.signing_key != leaf_.kind_) return fail(Code::snp_signing_key, "report.signing_key");
  reached = ReportStep::product;
  // CPUID tells from version 3 on. Before, the certificate alone does, in two places.
  Product claimed = report_.names_processor() ? report_.product() : leaf_.named_product_;
  if (claimed != leaf_.product_) return fail(Code::snp_product, "report.product");
  reached = ReportStep::chip_id;
  if (leaf_.kind_ == Signer::vcek && !report_.chip_masked() && report_.chip_id != leaf_.chip_id_)
    return fail(Code::snp_chip_id, "report.chip_id");
  reached = ReportStep::tcb;
  if (report_.reported_tcb != leaf_.tcb_) return fail(Code::snp_tcb_mismatch, "report.reported_tcb");
  reached = ReportStep::signature;
  TRY_LET(Digest48 digest, sha384({raw.first(kReportSigned)}));
  if (!verify_p384(leaf_.key_, digest, report_.r, report_.s).ok()) return fail(Code::snp_signature, "report.signature");
  return success();
}

Result<VerifiedReport> verify_report(Bytes report, const VerifiedLeaf& leaf, int64_t now, Bytes report_data,
                                     ReportStep& reached) {
  reached = ReportStep::form;
  VerifiedReport out(leaf);
  TRY_LET(out.report_, Report::decode(report));
  reached = ReportStep::chain;
  if (now < leaf.not_before()) return fail(Code::certificate_not_yet_valid, "report.leaf_time");
  if (now > leaf.not_after()) return fail(Code::certificate_expired, "report.leaf_time");
  TRY(out.check(report, reached));
  reached = ReportStep::report_data;
  if (!report_data.empty()) {
    TRY(check_report_data(out.report_, report_data));
    out.bound_ = true;
  }
  reached = ReportStep::vmpl;
  if (out.report_.vmpl > kLowestVmpl) return fail(Code::snp_vmpl, "report.vmpl");
  reached = ReportStep::done;
  return out;
}

Result<VerifiedReport> verify_report(Bytes report, const std::vector<Bytes>& certificates, const VerifyPolicy& policy,
                                     Bytes report_data, ReportStep& reached) {
  reached = ReportStep::form;
  TRY(Report::decode(report));
  TRY_LET(VerifiedLeaf leaf, verify_leaf(certificates, policy, reached));
  return verify_report(report, leaf, policy.now, report_data, reached);
}

}  // namespace cstl::snp
