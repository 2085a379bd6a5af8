#include "attest/predict/ovmf.h"
#include "attest/predict/tdx.h"
#include "crypto/base/fd.h"
#include "tools/cstl/measure.h"

namespace cstl::cli {

Status measure_tdx(const MeasureOptions& options, ReferenceSet* set, std::string* problem) {
  *problem = options.firmware;
  auto firmware = read_file(options.firmware.c_str(), kMaxFirmware);
  if (!firmware.ok()) return fail(Code::workspace, "measure.firmware", firmware.error().origin, firmware.error().foreign);
  if (!set->tdx) set->tdx.emplace();
  // Which order a host takes depends on its kernel, not on what it launches.
  TRY_LET(Digest48 by_page, predict_mrtd(*firmware, PageOrder::page_by_page));
  TRY_LET(Digest48 by_section, predict_mrtd(*firmware, PageOrder::section_by_section));
  set->tdx->mr_td = {by_page};
  if (by_section != by_page) set->tdx->mr_td.push_back(by_section);
  return success();
}

Status measure_rtmrs(Bytes uki, ReferenceSet* set) {
  if (!set->tdx) set->tdx.emplace();
  TRY_LET(tdx::RtmrReference rtmr2, predict_rtmr2(uki));
  std::vector<tdx::RtmrReference> kept;
  for (tdx::RtmrReference& rtmr : set->tdx->rtmrs) {
    if (rtmr.index != rtmr2.index) kept.push_back(std::move(rtmr));
  }
  kept.push_back(std::move(rtmr2));  // the highest of those that a reference may have
  set->tdx->rtmrs = std::move(kept);
  return success();
}

}  // namespace cstl::cli
