#include "attest/tdx/collateral.h"
#include "crypto/base/fd.h"

namespace cstl::tdx {

namespace {
struct Names {
  std::string tcb_info, tcb_info_chain, qe_identity, qe_identity_chain, pck_crl, root_crl;
};

Result<Names> names(const std::string& folder, const Fmspc& fmspc, std::string_view ca) {
  if (ca != "platform" && ca != "processor") return fail(Code::bad_value, "collateral.ca");
  std::string tcb = folder + "/tcb-info-" + to_hex(fmspc);
  return Names{tcb + ".json",
               tcb + ".pem",
               folder + "/qe-identity.json",
               folder + "/qe-identity.pem",
               folder + "/pck-crl-" + std::string(ca) + ".der",
               folder + "/root-crl.der"};
}
}  // namespace

Result<CollateralFiles> read_collateral(const std::string& folder, const Fmspc& fmspc, std::string_view ca) {
  TRY_LET(Names name, names(folder, fmspc, ca));
  CollateralFiles out;
  auto pem = [](const std::string& path) -> Result<std::vector<uint8_t>> {
    TRY_LET(std::vector<uint8_t> text, read_file(path.c_str(), 2 * kMaxIssuerChain));
    return issuer_chain_of_pem(text);
  };
  auto answer = [](const std::string& path) -> Result<std::vector<uint8_t>> {
    TRY_LET(std::vector<uint8_t> text, read_file(path.c_str(), kMaxSignedObject));
    if (!text.empty() && text.back() == '\n') text.pop_back();  // editors add it
    return text;
  };
  TRY_LET(out.tcb_info, answer(name.tcb_info));
  TRY_LET(out.tcb_info_chain, pem(name.tcb_info_chain));
  TRY_LET(out.qe_identity, answer(name.qe_identity));
  TRY_LET(out.qe_identity_chain, pem(name.qe_identity_chain));
  TRY_LET(out.pck_crl, read_file(name.pck_crl.c_str(), kMaxCollateralCrl));
  TRY_LET(out.root_crl, read_file(name.root_crl.c_str(), kMaxCollateralCrl));
  return out;
}

Status write_collateral(const std::string& folder, const Fmspc& fmspc, std::string_view ca,
                        const CollateralFiles& files) {
  constexpr mode_t kPublic = 0644;
  TRY_LET(Names name, names(folder, fmspc, ca));
  TRY_LET(std::string tcb_chain, issuer_chain_to_pem(files.tcb_info_chain));
  TRY_LET(std::string qe_chain, issuer_chain_to_pem(files.qe_identity_chain));
  TRY(make_folders(folder));
  TRY(write_file_durably(name.tcb_info.c_str(), files.tcb_info, kPublic));
  TRY(write_file_durably(name.tcb_info_chain.c_str(), tcb_chain, kPublic));
  TRY(write_file_durably(name.qe_identity.c_str(), files.qe_identity, kPublic));
  TRY(write_file_durably(name.qe_identity_chain.c_str(), qe_chain, kPublic));
  TRY(write_file_durably(name.pck_crl.c_str(), files.pck_crl, kPublic));
  return write_file_durably(name.root_crl.c_str(), files.root_crl, kPublic);
}

}  // namespace cstl::tdx
