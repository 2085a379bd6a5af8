#include "attest/tsm/broker.h"

#include <sys/socket.h>
#include <unistd.h>

namespace cstl::tsm {

namespace {
constexpr const char* kSite = "tsm.broker";

void serve(int fd, const OpenDevice& open, const Confine& confine) {
  Result<std::unique_ptr<ReportDevice>> device = open();
  const Status ready = device.ok() ? confine() : Status(device.error());
  if (!send_status(fd, ready).ok() || !ready.ok()) return;
  for (;;) {
    Digest64 report_data{};
    // The other end closed. The device's paths are out of reach by now, so nothing is tidied up.
    if (!read_exact(fd, report_data).ok()) _exit(0);
    Result<Report> report = (*device)->report(report_data);
    if (!send_status(fd, report.ok() ? success() : Status(report.error())).ok()) _exit(0);
    if (!report.ok()) continue;
    if (!send_blob(fd, report->bytes).ok() || !send_blob(fd, report->certificates).ok()) _exit(0);
  }
}

class Remote final : public ReportDevice {
 public:
  explicit Remote(Fd fd) : fd_(std::move(fd)) {}
  int lifeline() const override { return fd_.get(); }

  Result<Report> report(const Digest64& report_data) override {
    Status said = success();
    Result<Report> answer = ask(report_data, said);
    // Where the next answer would begin is unknown now.
    if (!answer.ok()) (void)shutdown(fd_.get(), SHUT_RDWR);
    if (!said.ok()) return said.error();
    return answer;
  }

 private:
  Result<Report> ask(const Digest64& report_data, Status& said) {
    if (!write_all(fd_.get(), report_data).ok()) return fail(Code::child_failed, kSite);
    TRY(receive_status(fd_.get(), kSite, said));
    Report out;
    if (!said.ok()) return out;
    TRY_LET(out.bytes, receive_blob(fd_.get(), kMaxBlob, kSite));
    TRY_LET(out.certificates, receive_blob(fd_.get(), kMaxCertificateTable, kSite));
    return out;
  }

  Fd fd_;
};
}  // namespace

Result<std::unique_ptr<ReportDevice>> open_apart(const OpenDevice& open, const Confine& confine) {
  TRY_LET(Fd fd, fork_apart("cstl-tsm", [&](int end) { serve(end, open, confine); }));
  Status said = success();
  TRY(receive_status(fd.get(), kSite, said));
  TRY(said);
  return remote_device(fd.release());
}

std::unique_ptr<ReportDevice> remote_device(int fd) { return std::make_unique<Remote>(Fd(fd)); }

}  // namespace cstl::tsm
