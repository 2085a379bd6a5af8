#include <cstdlib>

#include "attest/snp/verify.h"

// Decode, then what looks at nothing else. TCB versions survive both layouts, but for reserved bytes.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cstl;
  using namespace cstl::snp;
  auto report = Report::decode(Bytes(data, size));
  if (!report) return 0;
  if (size != kReportSize || report->version < 2) abort();
  if (report->signing_key != Signer::vcek && report->signing_key != Signer::vlek) abort();
  for (Product product : {Product::milan, Product::genoa, Product::turin}) {
    Tcb tcb = Tcb::from(report->reported_tcb, product);
    if (Tcb::from(tcb.raw(product), product).text() != tcb.text() || !tcb.at_least(tcb)) abort();
  }
  if (report->policy.text().empty() || report->platform.text().empty()) abort();
  if (!check_report_data(*report, report->report_data).ok()) abort();
  return 0;
}
