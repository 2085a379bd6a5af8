#include <algorithm>

#include "attest/tdx/tcb.h"

namespace cstl::tdx {

namespace {
constexpr size_t kIsvSvn = 0, kModuleVersion = 1, kLoader = 2;  // of TEE_TCB_SVN

bool reaches(const Components& seen, const Components& wanted, size_t from) {
  for (size_t i = from; i < seen.size(); ++i) {
    if (seen[i] < wanted[i]) return false;
  }
  return true;
}

// A TDX module with a version has levels of its own, so its two components don't count among the platform's.
size_t first_tdx_component(const Components& svn) { return svn[kModuleVersion] > 0 ? kLoader : 0; }

bool reaches_sgx(const TcbLevel& level, const PckExtensions& pck) {
  return reaches(pck.tcb, level.sgx, 0) && pck.pce_svn >= level.pce_svn;
}

template <size_t N>
bool masked_equal(const std::array<uint8_t, N>& seen, const std::array<uint8_t, N>& mask,
                  const std::array<uint8_t, N>& wanted) {
  for (size_t i = 0; i < N; ++i) {
    if ((seen[i] & mask[i]) != wanted[i]) return false;
  }
  return true;
}

// "TDX_01" for version 1: two hexadecimal digits.
const TdxModule* find_module(const TcbInfo& info, uint8_t version) {
  std::string id = "TDX_" + to_hex(Bytes(&version, 1));
  for (const TdxModule& module : info.modules) {
    bool same =
        module.id.size() == id.size() && std::equal(id.begin(), id.end(), module.id.begin(), [](char a, char b) {
          auto lower = [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c; };
          return lower(a) == lower(b);
        });
    if (same) return &module;
  }
  return nullptr;
}

const TcbLevel* level_of(const std::vector<TcbLevel>& levels, uint16_t isv_svn) {
  for (const TcbLevel& level : levels) {
    if (level.isv_svn <= isv_svn) return &level;
  }
  return nullptr;
}

// A part that is out of date or revoked pulls the whole down with it (Intel's "convergence").
TcbStatus converge(TcbStatus platform, TcbStatus part) {
  if (part == TcbStatus::revoked || platform == TcbStatus::revoked) return TcbStatus::revoked;
  if (part == TcbStatus::up_to_date) return platform;
  switch (platform) {
    case TcbStatus::up_to_date:
    case TcbStatus::sw_hardening_needed: return TcbStatus::out_of_date;
    case TcbStatus::configuration_needed:
    case TcbStatus::configuration_and_sw_hardening_needed: return TcbStatus::out_of_date_configuration_needed;
    default: return platform;
  }
}

bool configuration_needed(TcbStatus status) {
  return status == TcbStatus::configuration_needed || status == TcbStatus::out_of_date_configuration_needed ||
         status == TcbStatus::configuration_and_sw_hardening_needed;
}

bool out_of_date(TcbStatus status) {
  return status == TcbStatus::out_of_date || status == TcbStatus::out_of_date_configuration_needed;
}

// TD report 1.5 also tells what the platform runs now. When only the TDX module that this TD was born with is too old,
// and the present one is the newest, then a relaunch of the TD is all that it takes.
Result<TcbStatus> relaunch(const TcbInfo& info, const TdReport& report, TcbStatus sgx, TcbStatus tdx, TcbStatus module,
                           TcbStatus enclave) {
  if (!report.is_15 || enclave != TcbStatus::up_to_date || out_of_date(sgx) || sgx == TcbStatus::revoked ||
      !out_of_date(tdx) || module != TcbStatus::out_of_date) {
    return tdx;
  }
  const Components& now = report.tee_tcb_svn2;
  const TcbLevel& latest = info.levels.front();
  uint16_t newest = latest.tdx[kIsvSvn];
  if (now[kModuleVersion] != 0) {
    const TdxModule* present = find_module(info, now[kModuleVersion]);
    if (present == nullptr || present->levels.empty()) return fail(Code::tdx_module, "tdx.module_now");
    newest = present->levels.front().isv_svn;
  }
  if (now[kIsvSvn] < newest || now[kLoader] < latest.tdx[kLoader]) return tdx;
  return configuration_needed(sgx) || configuration_needed(tdx) ? TcbStatus::td_relaunch_advised_configuration_needed
                                                                : TcbStatus::td_relaunch_advised;
}

// Which TDX module it is, by signer and attributes; its level, unless it is version 0.
Result<const TcbLevel*> judge_module(const TcbInfo& info, const TdReport& report) {
  constexpr std::array<uint8_t, 8> kNone{};
  const uint8_t version = report.tee_tcb_svn[kModuleVersion];
  const TdxModule* module = version == 0 ? &info.module : find_module(info, version);
  if (module == nullptr) return fail(Code::tdx_module, "tdx.module_version");
  if (report.mr_signer_seam != module->mr_signer) return fail(Code::tdx_module, "tdx.module_signer");
  // Intel signs no module with attributes for production, whatever the mask leaves open.
  if (!masked_equal(report.seam_attributes, module->attributes_mask, module->attributes) ||
      report.seam_attributes != kNone) {
    return fail(Code::tdx_module, "tdx.module_attributes");
  }
  if (version == 0) return static_cast<const TcbLevel*>(nullptr);
  const TcbLevel* level = level_of(module->levels, report.tee_tcb_svn[kIsvSvn]);
  if (level == nullptr) return fail(Code::tdx_tcb_unsupported, "tdx.module_level");
  return level;
}

Status match_enclave(const QeIdentity& identity, const SgxReport& qe) {
  std::array<uint8_t, 4> misc{};
  for (size_t i = 0; i < misc.size(); ++i) misc[i] = static_cast<uint8_t>(qe.misc_select >> (8 * i));
  if (!masked_equal(misc, identity.misc_select_mask, identity.misc_select)) {
    return fail(Code::tdx_qe_identity, "qe.misc_select");
  }
  if (!masked_equal(qe.attributes, identity.attributes_mask, identity.attributes)) {
    return fail(Code::tdx_qe_identity, "qe.attributes");
  }
  if (qe.mr_signer != identity.mr_signer) return fail(Code::tdx_qe_identity, "qe.mr_signer");
  if (qe.isv_prod_id != identity.isv_prod_id) return fail(Code::tdx_qe_identity, "qe.isv_prod_id");
  return success();
}

Result<const TcbLevel*> judge_enclave(const QeIdentity& identity, const SgxReport& qe) {
  TRY(match_enclave(identity, qe));
  const TcbLevel* level = level_of(identity.levels, qe.isv_svn);
  if (level == nullptr) return fail(Code::tdx_tcb_unsupported, "qe.level");
  return level;
}

void add_advisories(const TcbLevel& level, std::vector<std::string>* out) {
  out->insert(out->end(), level.advisories.begin(), level.advisories.end());
}
}  // namespace

Status check_enclave(const SgxReport& qe) {
  // What is the same in every identity of Intel's: INIT and PROVISIONKEY, MODE64BIT either way, nothing else.
  QeIdentity intel;
  intel.misc_select_mask.fill(0xff);
  intel.attributes = {0x11};
  intel.attributes_mask = {0xfb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
  intel.mr_signer = kIntelQeSigner;
  intel.isv_prod_id = kIntelQeProduct;
  return match_enclave(intel, qe);
}

Result<TcbVerdict> judge_tcb(const TcbInfo& info, const QeIdentity& identity, const PckExtensions& pck,
                             const TdReport& report, const SgxReport& qe) {
  if (info.fmspc != pck.fmspc) return fail(Code::tdx_tcb_info_mismatch, "tdx.fmspc");
  if (info.pce_id != pck.pce_id) return fail(Code::tdx_tcb_info_mismatch, "tdx.pce_id");
  TRY_LET(const TcbLevel* module, judge_module(info, report));
  TRY_LET(const TcbLevel* enclave, judge_enclave(identity, qe));

  auto sgx_ok = [&](const TcbLevel& level) { return reaches_sgx(level, pck); };
  auto sgx = std::find_if(info.levels.begin(), info.levels.end(), sgx_ok);
  if (sgx == info.levels.end()) return fail(Code::tdx_tcb_unsupported, "tdx.sgx_level");
  auto tdx = std::find_if(sgx, info.levels.end(), [&](const TcbLevel& level) {
    return sgx_ok(level) && reaches(report.tee_tcb_svn, level.tdx, first_tdx_component(report.tee_tcb_svn));
  });
  if (tdx == info.levels.end()) return fail(Code::tdx_tcb_unsupported, "tdx.level");

  TcbVerdict out;
  out.platform = tdx->status;
  out.module = module != nullptr ? module->status : TcbStatus::up_to_date;
  out.enclave = enclave->status;
  out.date = tdx->date;
  out.evaluation = std::min(info.evaluation, identity.evaluation);
  TcbStatus whole = converge(out.platform, out.module);
  TRY_LET(whole, relaunch(info, report, sgx->status, whole, out.module, out.enclave));
  out.status = converge(whole, out.enclave);
  add_advisories(*tdx, &out.advisories);
  if (module != nullptr) add_advisories(*module, &out.advisories);
  add_advisories(*enclave, &out.advisories);
  std::sort(out.advisories.begin(), out.advisories.end());
  out.advisories.erase(std::unique(out.advisories.begin(), out.advisories.end()), out.advisories.end());
  return out;
}

}  // namespace cstl::tdx
