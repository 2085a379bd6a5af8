#include "tests/attest/platform/lies.h"

#include <ctime>

namespace cstl::test {

namespace {
using Facts = CloudFacts;
using Parts = OwnedEvidence;

void flip(std::vector<uint8_t>& bytes, size_t at) { bytes[at < bytes.size() ? at : bytes.size() - 1] ^= 1; }

void tpm_lies(Variant v, std::vector<Lie>& out) {
  out.push_back({v, "the quote's signature is another", {}, [](Parts& p) { flip(p.signature, 20); }, Code::quote_signature,
                 "quote.signature"});
  out.push_back({v, "the attestation key is another", {}, [](Parts& p) { p.ak_public.back() ^= 2; }, Code::quote_key, "ak.name"});
  out.push_back({v, "the PCR values are others", {}, [](Parts& p) { flip(p.pcr_values, 9 * 32); }, Code::quote_digest,
                 "quote.digest"});
  out.push_back({v, "the event log is of another boot", {},
                 [](Parts& p) {
                   // The digest of the first event: behind the header event, PCR, type, count and algorithm.
                   flip(p.event_log, 65 + 14);
                 },
                 Code::log_replay, "log.replay"});
}

void ek_lies(Variant v, std::vector<Lie>& out) {
  out.push_back({v, "the TPM has no endorsement", {},
                 [](Parts& p) {
                   p.ek_certificate.clear();
                   p.ek_chain.clear();
                 },
                 Code::ek_missing, "ek.chain"});
  out.push_back({v, "the endorsement is of nobody who is pinned", {}, [](Parts& p) { flip(p.ek_certificate, p.ek_certificate.size() - 9); },
                 Code::ek_chain, "ek.chain"});
}

void certificate_lies(Variant v, std::vector<Lie>& out) {
  out.push_back({v, "the platform certifies no key", {}, [](Parts& p) { p.ak_certificate.clear(); }, Code::ak_missing, "ak.chain"});
  out.push_back({v, "the key's certificate is of nobody who is pinned", [](Facts& f) { f.other_authority = true; }, {},
                 Code::ak_chain, "ak.chain"});
  out.push_back({v, "the platform certifies another key", [](Facts& f) { f.other_ak_certified = true; }, {}, Code::ak_mismatch,
                 "ak.platform"});
  out.push_back({v, "the key's certificate has expired", [](Facts& f) { f.certificate_expired = true; }, {},
                 Code::certificate_expired, "ak.chain"});
}

void gcp_lies(Variant v, std::vector<Lie>& out) {
  out.push_back({v, "the instance is of another project", [](Facts& f) { f.project = "someone-else"; }, {},
                 Code::reference_mismatch, "instance.project"});
  out.push_back({v, "the certificate is of a test system of Google's", [](Facts& f) { f.production = false; }, {}, Code::ak_chain,
                 "instance.production"});
  out.push_back({v, "the firmware found no memory encryption", [](Facts& f) { f.technology = gcp::Technology::none; }, {},
                 Code::technology_unknown, "gce.technology"});
  out.push_back({v, "there is no event log to say which encryption", {}, [](Parts& p) { p.event_log.clear(); },
                 Code::technology_unknown, "gce.technology"});
}

void document_lies(Variant v, std::vector<Lie>& out) {
  out.push_back({v, "there is no attestation document", {}, [](Parts& p) { p.runtime_data.clear(); }, Code::ak_missing,
                 "ak.platform"});
  out.push_back({v, "the document is malformed", {}, [](Parts& p) { p.runtime_data.pop_back(); }, Code::document_malformed,
                 "nitro.form"});
  out.push_back({v, "the document is of no hypervisor that is pinned", [](Facts& f) { f.other_authority = true; }, {},
                 Code::ak_chain, "nitro.chain"});
  out.push_back({v, "the document's signature is another",
                 [](Facts& f) { f.nitro = [](NitroHypervisor::Facts& d) { d.break_signature = true; }; }, {},
                 Code::document_signature, "nitro.signature"});
  out.push_back({v, "the document is of another session",
                 [](Facts& f) { f.nitro = [](NitroHypervisor::Facts& d) { flip(d.nonce, 0); }; }, {}, Code::quote_nonce,
                 "nitro.nonce"});
  out.push_back({v, "the document vouches for another key",
                 [](Facts& f) { f.nitro = [](NitroHypervisor::Facts& d) { flip(d.user_data, 0); }; }, {}, Code::ak_mismatch,
                 "nitro.ak"});
  out.push_back({v, "the hypervisor saw another image",
                 [](Facts& f) { f.nitro = [](NitroHypervisor::Facts& d) { d.pcrs[4][0] ^= 1; }; }, {}, Code::reference_mismatch,
                 "nitro.pcr4"});
  out.push_back({v, "the document leaves the PCR out",
                 [](Facts& f) { f.nitro = [](NitroHypervisor::Facts& d) { d.pcr_mask &= ~(1u << 4); }; }, {},
                 Code::reference_mismatch, "nitro.pcr4"});
}

void runtime_lies(Variant v, std::vector<Lie>& out) {
  const Code unbound = v == Variant::azure_tdx ? Code::tdx_report_data : Code::snp_report_data;
  const std::string claim = v == Variant::azure_tdx ? "tdx.report_data" : "snp.report_data";
  out.push_back({v, "the report vouches for another key",
                 [](Facts& f) {
                   f.runtime_data = [](std::string& data) {
                     const size_t at = data.find("\"n\":\"") + 20;
                     data[at] = data[at] == 'A' ? 'B' : 'A';
                   };
                 },
                 {}, Code::ak_mismatch, "ak.platform"});
  out.push_back({v, "the report vouches for no key",
                 [](Facts& f) { f.runtime_data = [](std::string& data) { data.replace(data.find("HCLAkPub"), 8, "HCLXkPub"); }; }, {},
                 Code::runtime_data_malformed, "ak.platform"});
  out.push_back({v, "the runtime data are not those of the report", {},
                 [](Parts& p) {
                   std::string data(p.runtime_data.begin(), p.runtime_data.end());
                   data.replace(data.find("\"user-data\":\"00"), 15, "\"user-data\":\"01");
                   p.runtime_data.assign(data.begin(), data.end());
                 },
                 unbound, claim});
}

void snp_lies(Variant v, std::vector<Lie>& out) {
  auto report = [&](const char* name, std::function<void(snp::Report&)> change, Code code, const char* claim) {
    out.push_back({v, name, [change](Facts& f) { f.snp = change; }, {}, code, claim});
  };
  out.push_back({v, "the chip is none of AMD's that are pinned", [](Facts& f) { f.other_snp_root = true; }, {}, Code::snp_chain,
                 "snp.chain"});
  out.push_back({v, "the host gives no certificates of the chip", [](Facts& f) { f.no_certificates = true; }, {},
                 Code::snp_certificate_missing, "snp.certificate"});
  out.push_back({v, "the report's signature is another", {}, [](Parts& p) { flip(p.tee_report, 0x2a0 + 5); }, Code::snp_signature,
                 "snp.signature"});
  out.push_back({v, "the report is cut", {}, [](Parts& p) { p.tee_report.pop_back(); }, Code::truncated, "snp.form"});
  report("the launch measurement is another", [](snp::Report& r) { r.measurement[0] ^= 1; }, Code::snp_measurement, "snp.measurement");
  report("the guest may be debugged", [](snp::Report& r) { r.policy.raw |= uint64_t{1} << 19; }, Code::snp_policy, "snp.policy.debug");
  report("the report is of a less privileged level", [](snp::Report& r) { r.vmpl = 1; }, Code::snp_vmpl, "snp.vmpl");
}

void unbound_lie(Variant v, Code code, const char* claim, std::vector<Lie>& out) {
  out.push_back({v, "the report is of another session", [](Facts& f) { f.report_data = [](Digest64& d) { d[0] ^= 1; }; }, {}, code,
                 claim});
}

void tdx_lies(Variant v, std::vector<Lie>& out) {
  auto report = [&](const char* name, std::function<void(tdx::TdReport&)> change, Code code, const char* claim) {
    out.push_back({v, name, [change](Facts& f) { f.tdx = change; }, {}, code, claim});
  };
  out.push_back({v, "the platform is none of Intel's that are pinned", [](Facts& f) { f.other_tdx_root = true; }, {},
                 Code::untrusted_chain, "tdx.collateral"});
  out.push_back({v, "there is no collateral", {}, [](Parts& p) { p.tee_collateral.clear(); }, Code::tdx_collateral_missing,
                 "tdx.collateral"});
  out.push_back({v, "the collateral is old",
                 [](Facts& f) {
                   f.tdx_platform = [](TdxFacts& t) {
                     t.issued = std::time(nullptr) - 30 * 86400;
                     t.next_update = std::time(nullptr) - 60;
                   };
                 },
                 {}, Code::tdx_collateral_expired, "tdx.collateral"});
  out.push_back({v, "the collateral's revocation lists are old", [](Facts& f) { f.collateral_age = 60 * 86400; }, {},
                 Code::crl_expired, "tdx.collateral"});
  out.push_back({v, "the platform's TCB is out of date",
                 [](Facts& f) { f.tdx_platform = [](TdxFacts& t) { t.tcb_status = "OutOfDate"; }; }, {}, Code::tdx_tcb_status,
                 "tdx.tcb.status"});
  out.push_back({v, "the platform is revoked", [](Facts& f) { f.tdx_platform = [](TdxFacts& t) { t.revoke_leaf = true; }; }, {},
                 Code::certificate_revoked, "tdx.revocation"});
  out.push_back({v, "the quote's signature is another", {}, [](Parts& p) { flip(p.tee_report, 48 + 584 + 4 + 10); },
                 Code::tdx_quote_signature, "tdx.quote_signature"});
  report("the firmware is another", [](tdx::TdReport& r) { r.mr_td[0] ^= 1; }, Code::reference_mismatch, "tdx.mrtd");
  report("the TD may be debugged", [](tdx::TdReport& r) { r.td_attributes |= tdx::kTdDebug; }, Code::reference_mismatch,
         "tdx.attributes.debug");
  if (!has_tpm(v)) {
    report("the boot loader is another", [](tdx::TdReport& r) { r.rtmr[1][0] ^= 1; }, Code::reference_mismatch, "tdx.rtmr1");
    report("the kernel's command line is another", [](tdx::TdReport& r) { r.rtmr[2][0] ^= 1; }, Code::reference_mismatch,
           "tdx.rtmr2");
  }
}
}  // namespace

std::vector<Lie> lies() {
  std::vector<Lie> out;
  for (Variant v : kAllVariants) {
    if (has_tpm(v)) tpm_lies(v, out);
    switch (ak_root_of(v)) {
      case AkRoot::ek: ek_lies(v, out); break;
      case AkRoot::certificate: certificate_lies(v, out); break;
      case AkRoot::document: document_lies(v, out); break;
      case AkRoot::report: runtime_lies(v, out); break;
      case AkRoot::none: break;
    }
    if (v == Variant::gcp_sev_es || v == Variant::gcp_sev_snp) gcp_lies(v, out);
    if (has_snp(v)) snp_lies(v, out);
    if (has_tdx(v)) tdx_lies(v, out);
    if (has_snp(v) && v != Variant::azure_sev_snp) unbound_lie(v, Code::snp_report_data, "snp.report_data", out);
    if (has_tdx(v) && v != Variant::azure_tdx) unbound_lie(v, Code::tdx_report_data, "tdx.report_data", out);
    if (v == Variant::sev_snp) {
      out.push_back({v, "the register is not the one that the report binds", {}, [](Parts& p) { flip(p.registers, 0); },
                     Code::snp_report_data, "snp.report_data"});
    }
    out.push_back({v, "the machine is in a cluster already", {}, {}, Code::pcr_not_zero, "cluster", true});
  }
  return out;
}

}  // namespace cstl::test
