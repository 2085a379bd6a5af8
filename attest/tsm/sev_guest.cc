#include <linux/sev-guest.h>

#include <cerrno>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "attest/tsm/report_device.h"
#include "crypto/base/fd.h"

namespace cstl::tsm {

namespace {
// MSG_REPORT_RSP (AMD document 56860, table 26): u32 status, u32 size of the report, 24 bytes reserved, the report.
constexpr size_t kHeader = 32;
constexpr size_t kSnpReport = 1184;
constexpr size_t kTable = 16 * 1024;  // the most that the kernel takes (SEV_FW_BLOB_MAX_SIZE), in whole pages
constexpr int kTries = 8;
constexpr long kFirstWait = 20'000'000;  // nanoseconds; doubles: some 4 s in all

class SevGuest final : public ReportDevice {
 public:
  explicit SevGuest(Fd fd) : fd_(std::move(fd)) {}

  Result<Report> report(const Digest64& report_data) override {
    std::vector<uint8_t> certificates(kTable);
    snp_ext_report_req extended{};
    std::memcpy(extended.data.user_data, report_data.data(), report_data.size());
    extended.certs_address = reinterpret_cast<uintptr_t>(certificates.data());
    extended.certs_len = static_cast<uint32_t>(certificates.size());
    bool too_many = false;
    auto bytes = ask(SNP_GET_EXT_REPORT, &extended, &too_many);
    // More certificates than the kernel passes on: a verifier has them from elsewhere, or says that they are missing.
    if (too_many) {
      certificates.clear();
      bytes = ask(SNP_GET_REPORT, &extended.data, nullptr);
    }
    if (!bytes.ok()) return bytes.error();
    return Report{std::move(*bytes), std::move(certificates)};
  }

 private:
  // `too_many`: set when the host has more certificates than there is room.
  Result<std::vector<uint8_t>> ask(unsigned long command, void* request, bool* too_many) {
    timespec wait{0, kFirstWait};
    for (int i = 0; i < kTries; ++i) {
      snp_report_resp response{};
      snp_guest_request_ioctl message{};
      message.msg_version = 1;
      message.req_data = reinterpret_cast<uintptr_t>(request);
      message.resp_data = reinterpret_cast<uintptr_t>(&response);
      if (ioctl(fd_.get(), command, &message) == 0) return read(Bytes(response.data, sizeof response.data));
      const int error = errno;
      if (too_many != nullptr && message.vmm_error == SNP_GUEST_VMM_ERR_INVALID_LEN) {
        *too_many = true;
        return fail(Code::tee_failed, "sev_guest.table", Origin::errno_value, error);
      }
      // With a time-out the kernel has waited for a minute itself.
      const bool turned_away = message.vmm_error == SNP_GUEST_VMM_ERR_BUSY && error != ETIMEDOUT;
      const bool busy = turned_away || error == EAGAIN || error == EINTR;
      if (!busy) return failure(message, error);
      (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &wait, nullptr);  // a signal only shortens it
      wait.tv_nsec *= 2;
      if (wait.tv_nsec >= 1'000'000'000) wait.tv_nsec = 999'999'999;
    }
    return fail(Code::tee_failed, "sev_guest.busy");
  }

  // Who refused: the host, AMD's firmware, or the kernel.
  static Error failure(const snp_guest_request_ioctl& message, int error) {
    constexpr uint32_t kNotCalled = 0xff;  // SEV_RET_NO_FW_CALL
    const bool firmware = message.fw_error != 0 && message.fw_error != kNotCalled && message.fw_error != UINT32_MAX;
    const char* site = message.vmm_error != 0 ? "sev_guest.host" : firmware ? "sev_guest.firmware" : "sev_guest.report";
    return fail(Code::tee_failed, site, Origin::errno_value, error);
  }

  static Result<std::vector<uint8_t>> read(Bytes response) {
    Reader r(response);
    TRY_LET(uint32_t status, r.u32le());
    TRY_LET(uint32_t size, r.u32le());
    TRY_LET(Bytes reserved, r.bytes(kHeader - 8));
    (void)reserved;
    if (status != 0) return fail(Code::tee_failed, "sev_guest.status");
    if (size != kSnpReport) return fail(Code::tee_failed, "sev_guest.size");
    TRY_LET(Bytes report, r.bytes(kSnpReport));
    return report.copy();
  }

  Fd fd_;
};
}  // namespace

Result<std::unique_ptr<ReportDevice>> open_sev_guest(const std::string& path) {
  Fd fd(open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd.valid()) {
    const bool missing = errno == ENOENT || errno == ENXIO || errno == ENODEV;
    return fail(missing ? Code::tee_missing : Code::tee_failed, "sev_guest.open", Origin::errno_value, errno);
  }
  return std::unique_ptr<ReportDevice>(std::make_unique<SevGuest>(std::move(fd)));
}

}  // namespace cstl::tsm
