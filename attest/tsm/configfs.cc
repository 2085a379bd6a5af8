#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attest/tsm/report_device.h"
#include "crypto/base/fd.h"

namespace cstl::tsm {

namespace {
constexpr int kTries = 8;

Error io_error(const char* site) {
  return fail(Code::tee_failed, site, Origin::errno_value, errno);
}

class Configfs final : public ReportDevice {
 public:
  explicit Configfs(std::string entry) : entry_(std::move(entry)) {}
  ~Configfs() override { (void)rmdir(entry_.c_str()); }  // the kernel drops the entry with us in any case

  Result<Report> report(const Digest64& report_data) override {
    // Another writer of this entry would show in its generation; there is none but us, so this ends at once.
    for (int i = 0; i < kTries; ++i) {
      TRY(write("inblob", report_data));
      TRY_LET(std::vector<uint8_t> before, read("generation", 32));
      Report out;
      auto bytes = read("outblob", kMaxBlob);
      if (!bytes.ok() && bytes.error().foreign == EWOULDBLOCK) continue;
      if (!bytes.ok()) return bytes.error();
      out.bytes = std::move(*bytes);
      // Only some providers have one.
      if (auto certificates = read("auxblob", kMaxBlob); certificates.ok()) out.certificates = std::move(*certificates);
      TRY_LET(std::vector<uint8_t> after, read("generation", 32));
      if (before == after && !out.bytes.empty()) return out;
    }
    return fail(Code::tee_failed, "tsm.generation");
  }

  Result<std::vector<uint8_t>> read(const char* attribute, size_t max) const {
    // Every opening reads the attribute anew.
    Fd fd(open((entry_ + "/" + attribute).c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid()) return io_error("tsm.open");
    auto bytes = read_fd(fd.get(), max);
    if (!bytes.ok()) {
      if (bytes.code() == Code::too_long) return bytes.error();
      return fail(Code::tee_failed, "tsm.read", bytes.error().origin, bytes.error().foreign);
    }
    return bytes;
  }

 private:
  Status write(const char* attribute, Bytes value) const {
    Fd fd(open((entry_ + "/" + attribute).c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd.valid()) return io_error("tsm.open");
    if (Status written = write_all(fd.get(), value); !written.ok()) return io_error("tsm.write");
    // configfs takes a binary attribute when it is closed.
    if (::close(fd.release()) != 0) return io_error("tsm.write");
    return success();
  }

  std::string entry_;
};
}  // namespace

Result<std::unique_ptr<ReportDevice>> open_configfs(const std::string& folder, const char* provider, unsigned owner) {
  const std::string entry = folder + "/cstl-" + std::to_string(getpid());
  if (mkdir(entry.c_str(), 0700) != 0) {
    const bool missing = errno == ENOENT || errno == ENXIO || errno == ENODEV;
    return fail(missing ? Code::tee_missing : Code::tee_failed, "tsm.entry", Origin::errno_value, errno);
  }
  auto device = std::make_unique<Configfs>(entry);
  TRY_LET(std::vector<uint8_t> name, device->read("provider", 64));
  if (!name.empty() && name.back() == '\n') name.pop_back();
  if (Bytes(name).text() != provider) return fail(Code::tee_missing, "tsm.provider");
  if (owner != 0) {
    if (chown(entry.c_str(), owner, owner) != 0) return io_error("tsm.owner");
    for (const char* attribute : {"/inblob", "/outblob", "/auxblob", "/generation"}) {
      if (chown((entry + attribute).c_str(), owner, owner) != 0 && errno != ENOENT) return io_error("tsm.owner");
    }
  }
  return std::unique_ptr<ReportDevice>(std::move(device));
}

}  // namespace cstl::tsm
