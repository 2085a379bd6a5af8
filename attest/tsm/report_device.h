// What makes TEE reports on this machine: configfs-tsm (Linux 6.7 and later,
// Documentation/ABI/testing/configfs-tsm-report), or the ioctls of /dev/sev-guest
// (Documentation/virt/coco/sev-guest.rst). Blocking: firmware answers in milliseconds, a TDX quoting service in up to a
// second. Not thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "crypto/hash.h"

namespace cstl::tsm {

constexpr size_t kMaxBlob = 32 * 1024;              // TSM_REPORT_OUTBLOB_MAX
constexpr size_t kMaxCertificateTable = 64 * 1024;  // as sev-guest asks the host for it at most

struct Report {
  std::vector<uint8_t> bytes;         // SEV-SNP report, or TDX quote
  std::vector<uint8_t> certificates;  // SEV-SNP: the host's certificate table (attest/snp/collateral.h); may be empty
};

class ReportDevice {
 public:
  virtual ~ReportDevice() = default;
  // Errors: tee_failed, too_long.
  virtual Result<Report> report(const Digest64& report_data) = 0;
  // A descriptor that polls readable only when the device is lost for good, between calls of report(); -1: there is
  // none.
  virtual int lifeline() const { return -1; }
};

constexpr const char* kConfigfsReports = "/sys/kernel/config/tsm/report";
constexpr const char* kSevProvider = "sev_guest";
constexpr const char* kTdxProvider = "tdx_guest";
constexpr const char* kSevGuest = "/dev/sev-guest";

// An entry of our own below `folder`, removed at the end, or by the next of us to open one when this process may not
// any more. `provider` is who must answer there. `owner`: uid that may use it besides us, when the process drops its
// rights afterwards; 0: nobody. Errors: tee_missing (no such folder, or another provider), tee_failed.
Result<std::unique_ptr<ReportDevice>> open_configfs(const std::string& folder, const char* provider,
                                                    unsigned owner = 0);

// Opens the device and keeps it. Reports come with the host's certificates, or without when these are more than the
// kernel passes on. A host that is busy is asked again for some seconds. Errors: tee_missing, tee_failed.
Result<std::unique_ptr<ReportDevice>> open_sev_guest(const std::string& path);

}  // namespace cstl::tsm
