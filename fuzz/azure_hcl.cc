#include <cstdlib>

#include "attest/azure/hcl.h"

// HCL reports: what is accepted has a report of its kind and runtime data, both inside of the input.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto hcl = cstl::azure::HclReport::decode(cstl::Bytes(data, size));
  if (!hcl) return 0;
  const bool tdx = hcl->kind == cstl::azure::HclKind::tdx;
  if (hcl->report.size() != (tdx ? cstl::azure::kTdReport : cstl::azure::kHclReport) || hcl->runtime_data.empty()) abort();
  if (hcl->runtime_data.data() < data || hcl->runtime_data.end() > data + size) abort();
  return 0;
}
