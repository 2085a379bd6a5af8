#include "attest/azure/hcl.h"

namespace cstl::azure {

namespace {
Error refuse(const char* site) { return fail(Code::runtime_data_malformed, site); }
}  // namespace

Result<HclReport> HclReport::decode(Bytes input) {
  if (input.size() > kMaxHcl) return refuse("hcl.size");
  Reader r(input);
  auto magic = r.bytes(4);
  auto header = r.bytes(28);
  auto report = r.bytes(kHclReport);
  auto data_size = r.u32le();
  auto version = r.u32le();
  auto kind = r.u32le();
  auto hash = r.u32le();
  auto size = r.u32le();
  if (!magic.ok() || !header.ok() || !report.ok() || !data_size.ok() || !version.ok() || !kind.ok() || !hash.ok() ||
      !size.ok()) {
    return refuse("hcl.truncated");
  }
  if (magic->text() != "HCLA") return refuse("hcl.magic");
  HclReport out;
  if (*kind != static_cast<uint32_t>(HclKind::snp) && *kind != static_cast<uint32_t>(HclKind::tdx)) {
    return refuse("hcl.type");
  }
  out.kind = static_cast<HclKind>(*kind);
  constexpr uint32_t kSha256 = 1;
  if (*hash != kSha256) return refuse("hcl.hash");
  out.report = out.kind == HclKind::tdx ? report->first(kTdReport) : *report;
  auto data = r.bytes(*size);
  if (!data.ok() || data->empty()) return refuse("hcl.runtime_data");
  out.runtime_data = *data;
  return out;
}

}  // namespace cstl::azure
