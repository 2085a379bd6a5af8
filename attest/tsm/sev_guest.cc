#include <linux/sev-guest.h>

#include <cerrno>
#include <fcntl.h>
#include <sys/ioctl.h>

#include "attest/tsm/report_device.h"
#include "crypto/base/fd.h"

namespace cstl::tsm {

namespace {
// MSG_REPORT_RSP (AMD document 56860, table 26): u32 status, u32 size of the report, 24 bytes reserved, the report.
constexpr size_t kHeader = 32;
constexpr size_t kSnpReport = 1184;
constexpr size_t kMaxTable = 64 * 1024;
constexpr uint32_t kInvalidLength = 1;  // SNP_GUEST_VMM_ERR_INVALID_LEN
constexpr uint32_t kBusy = 2;           // SNP_GUEST_VMM_ERR_BUSY
constexpr int kTries = 8;

class SevGuest final : public ReportDevice {
 public:
  SevGuest(Fd fd, Ioctl call) : fd_(std::move(fd)), call_(std::move(call)) {}

  Result<Report> report(const Digest64& report_data) override {
    size_t table = 16 * 1024;
    for (int i = 0; i < kTries; ++i) {
      std::vector<uint8_t> certificates(table);
      snp_ext_report_req request{};
      std::memcpy(request.data.user_data, report_data.data(), report_data.size());
      request.certs_address = reinterpret_cast<uintptr_t>(certificates.data());
      request.certs_len = static_cast<uint32_t>(certificates.size());
      snp_report_resp response{};
      snp_guest_request_ioctl message{};
      message.msg_version = 1;
      message.req_data = reinterpret_cast<uintptr_t>(&request);
      message.resp_data = reinterpret_cast<uintptr_t>(&response);
      if (call_(fd_.get(), SNP_GET_EXT_REPORT, &message) != 0) {
        const int error = errno;
        const uint32_t vmm = static_cast<uint32_t>(message.exitinfo2 >> 32);
        if (vmm == kInvalidLength && request.certs_len > table && request.certs_len <= kMaxTable) {
          table = request.certs_len;
          continue;
        }
        if (vmm == kBusy || error == EAGAIN) continue;
        return fail(Code::tee_failed, "sev_guest.report", Origin::errno_value, error);
      }
      return read(Bytes(response.data, sizeof response.data), std::move(certificates));
    }
    return fail(Code::tee_failed, "sev_guest.busy");
  }

 private:
  static Result<Report> read(Bytes response, std::vector<uint8_t> certificates) {
    Reader r(response);
    TRY_LET(uint32_t status, r.u32le());
    TRY_LET(uint32_t size, r.u32le());
    TRY_LET(Bytes reserved, r.bytes(kHeader - 8));
    (void)reserved;
    if (status != 0 || size != kSnpReport) return fail(Code::tee_failed, "sev_guest.status");
    TRY_LET(Bytes report, r.bytes(kSnpReport));
    return Report{report.copy(), std::move(certificates)};
  }

  Fd fd_;
  Ioctl call_;
};
}  // namespace

Result<std::unique_ptr<ReportDevice>> open_sev_guest(const std::string& path, Ioctl call) {
  Fd fd(open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd.valid()) {
    const bool missing = errno == ENOENT || errno == ENXIO || errno == ENODEV;
    return fail(missing ? Code::tee_missing : Code::tee_failed, "sev_guest.open", Origin::errno_value, errno);
  }
  if (!call) call = [](int device, unsigned long request, void* argument) { return ioctl(device, request, argument); };
  return std::unique_ptr<ReportDevice>(std::make_unique<SevGuest>(std::move(fd), std::move(call)));
}

}  // namespace cstl::tsm
