#include "attest/tdx/pcs.h"

#include "crypto/crl.h"
#include "crypto/x509.h"

namespace cstl::tdx {

namespace {
constexpr const char* kTcbInfoChain = "tcb-info-issuer-chain";
constexpr const char* kIdentityChain = "sgx-enclave-identity-issuer-chain";

Result<HttpsAnswer> get(const PcsClient& client, const std::string& url, size_t max, std::string* problem) {
  std::string words;
  auto answer = https_get(url, max, client.https, &words);
  if (!answer && problem != nullptr) *problem = url + ": " + words;
  return answer;
}

Result<CollateralFiles> fetch(const PcsClient& client, const Fmspc& fmspc, std::string_view ca, std::string* problem) {
  CollateralFiles out;
  TRY_LET(HttpsAnswer tcb_info, get(client, tcb_info_url(client.base, fmspc), kMaxSignedObject, problem));
  TRY_LET(out.tcb_info_chain, issuer_chain_of_header(tcb_info.header(kTcbInfoChain)));
  out.tcb_info = std::move(tcb_info.body);
  TRY_LET(HttpsAnswer identity, get(client, qe_identity_url(client.base), kMaxSignedObject, problem));
  TRY_LET(out.qe_identity_chain, issuer_chain_of_header(identity.header(kIdentityChain)));
  out.qe_identity = std::move(identity.body);
  TRY_LET(HttpsAnswer pck_crl, get(client, pck_crl_url(client.base, ca), kMaxCollateralCrl, problem));
  TRY_LET(out.pck_crl, crl_from_file(pck_crl.body));
  TRY_LET(HttpsAnswer root_crl, get(client, client.root_crl_url, kMaxCollateralCrl, problem));
  TRY_LET(out.root_crl, crl_from_file(root_crl.body));
  return out;
}

// All of it holds for this PCK CA at `now`. `late` tells that it will soon not.
Status check(const CollateralFiles& files, const PckChain& chain, const PcsClient& client, int64_t now, bool* late,
             std::string* problem) {
  const Trust trust{client.roots.hashes, client.roots.count, now};
  TRY_LET(VerifiedCollateral collateral, verify_collateral(files.view(), trust, problem));
  TRY_LET(PckExtensions pck, pck_extensions_of(chain));
  if (collateral.tcb_info().fmspc != pck.fmspc) return fail(Code::tdx_tcb_info_mismatch, "pcs.fmspc");
  // The list must be by the issuer of the quote's PCK certificate, whom the root in turn must vouch for.
  const std::vector<Bytes> others{chain.intermediate, chain.root};
  const std::vector<Bytes> lists{files.pck_crl, files.root_crl};
  Status covered =
      verify_chain(chain.leaf, others, ChainPolicy{trust.roots, trust.root_count, now, &lists, CrlDemand::all});
  // A revoked platform is for verify_quote() to refuse; its collateral is good.
  if (!covered.ok() && covered.code() != Code::certificate_revoked) return covered;
  *late = now >= collateral.not_after() - (collateral.not_after() - collateral.not_before()) / 4;
  return success();
}
}  // namespace

std::string tcb_info_url(const std::string& base, const Fmspc& fmspc) {
  return base + "/tdx/certification/v4/tcb?fmspc=" + to_hex(fmspc);
}

std::string qe_identity_url(const std::string& base) { return base + "/tdx/certification/v4/qe/identity"; }

std::string pck_crl_url(const std::string& base, std::string_view ca) {
  return base + "/sgx/certification/v4/pckcrl?ca=" + std::string(ca) + "&encoding=der";
}

Result<std::vector<uint8_t>> issuer_chain_of_header(std::string_view header) {
  if (header.empty() || header.size() > 4 * kMaxIssuerChain) return fail(Code::tdx_collateral_malformed, "pcs.header");
  std::string pem;
  for (size_t i = 0; i < header.size(); ++i) {
    std::array<uint8_t, 1> byte{};
    if (header[i] != '%') {
      pem += header[i];
    } else if (header.size() - i > 2 && from_hex(header.substr(i + 1, 2), byte).ok()) {
      pem += static_cast<char>(byte[0]);
      i += 2;
    } else {
      return fail(Code::tdx_collateral_malformed, "pcs.header");
    }
  }
  return issuer_chain_of_pem(pem);
}

Result<CollateralFiles> obtain_collateral(const PcsClient& client, const Quote& quote, int64_t now,
                                          std::string* problem) {
  TRY_LET(PckChain chain, PckChain::decode(quote.pck_chain));
  TRY_LET(std::string_view ca, pck_ca_of(chain));
  TRY_LET(PckExtensions pck, pck_extensions_of(chain));
  // A folder that is empty, or spoilt, is as good as none.
  auto kept = read_collateral(client.folder, pck.fmspc, ca);
  bool late = true;
  Status kept_good = kept.ok() ? check(*kept, chain, client, now, &late, nullptr) : Status(kept.error());
  const bool allowed = !client.https.ca_pem.empty();
  if (kept_good.ok() && (!late || !allowed)) return kept;
  if (!allowed) {
    if (problem != nullptr) *problem = "the folder holds no current collateral for FMSPC " + to_hex(pck.fmspc);
    return kept.ok() ? kept_good.error() : fail(Code::not_found, "pcs.offline");
  }
  auto fresh = fetch(client, pck.fmspc, ca, problem);
  Status checked = fresh.ok() ? check(*fresh, chain, client, now, &late, problem) : Status(fresh.error());
  if (!checked.ok()) {
    if (kept_good.ok()) return kept;
    return checked.error();
  }
  TRY(write_collateral(client.folder, pck.fmspc, ca, *fresh));
  return fresh;
}

}  // namespace cstl::tdx
