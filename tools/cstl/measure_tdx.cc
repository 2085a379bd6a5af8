#include <algorithm>
#include <fcntl.h>
#include <unistd.h>

#include "attest/predict/gpt.h"
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

namespace {
// The first bytes of an image of a disk, or of the disk itself.
Result<std::vector<uint8_t>> start_of_disk(const std::string& path) {
  TRY_LET(Fd fd, open_file(path.c_str(), O_RDONLY));
  std::vector<uint8_t> out(kGptDisk);
  size_t done = 0;
  while (done < out.size()) {
    const ssize_t n = pread(fd.get(), out.data() + done, out.size() - done, static_cast<off_t>(done));
    if (n < 0) return fail_errno("measure.disk");
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  out.resize(done);
  return out;
}

void set_rtmr(std::vector<tdx::RtmrReference>& rtmrs, tdx::RtmrReference one) {
  rtmrs.erase(std::remove_if(rtmrs.begin(), rtmrs.end(), [&](const auto& other) { return other.index == one.index; }),
              rtmrs.end());
  auto at = std::find_if(rtmrs.begin(), rtmrs.end(), [&](const auto& other) { return other.index > one.index; });
  rtmrs.insert(at, std::move(one));
}
}  // namespace

Status measure_rtmrs(Bytes uki, const MeasureOptions& options, ReferenceSet* set, std::string* problem) {
  if (!set->tdx) set->tdx.emplace();
  TRY_LET(tdx::RtmrReference rtmr2, predict_rtmr2(uki));
  set_rtmr(set->tdx->rtmrs, std::move(rtmr2));
  if (options.disk.empty()) return success();
  *problem = options.disk;
  auto disk = start_of_disk(options.disk);
  if (!disk.ok()) return fail(Code::workspace, "measure.disk", disk.error().origin, disk.error().foreign);
  TRY_LET(tdx::RtmrReference rtmr1, predict_rtmr1(uki, *disk));
  set_rtmr(set->tdx->rtmrs, std::move(rtmr1));
  return success();
}

}  // namespace cstl::cli
