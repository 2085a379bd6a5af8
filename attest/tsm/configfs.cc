#include <atomic>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attest/tsm/report_device.h"
#include "crypto/base/fd.h"

namespace cstl::tsm {

namespace {
constexpr int kTries = 8;
constexpr size_t kMaxNumber = 32;
constexpr const char* kPrefix = "cstl-";
std::atomic<unsigned> open_entries{0}, last_entry{0};  // of this process

Error io_error(const char* site) {
  return fail(Code::tee_failed, site, Origin::errno_value, errno);
}

class Configfs final : public ReportDevice {
 public:
  explicit Configfs(std::string entry) : entry_(std::move(entry)) { ++open_entries; }
  ~Configfs() override {
    --open_entries;
    (void)rmdir(entry_.c_str());  // who dropped its rights may not: the next of us does
  }

  // The kernel takes inblob when it is closed, and tells nobody when it did not; others who may use the entry write it
  // too. Both show in the generation: one write further than before, and the same when all is read.
  Result<Report> report(const Digest64& report_data) override {
    for (int i = 0; i < kTries; ++i) {
      TRY_LET(uint64_t before, generation());
      TRY(write("inblob", report_data));
      Report out;
      auto bytes = read("outblob", kMaxBlob);
      if (!bytes.ok() && bytes.error().foreign == EWOULDBLOCK) continue;
      if (!bytes.ok()) return bytes.error();
      out.bytes = std::move(*bytes);
      // Only some providers have one.
      if (auto certificates = read("auxblob", kMaxBlob); certificates.ok()) out.certificates = std::move(*certificates);
      TRY_LET(uint64_t after, generation());
      if (after == before + 1 && !out.bytes.empty()) return out;
    }
    return fail(Code::tee_failed, "tsm.generation");
  }

  // A paravisor keeps the lower levels for itself; the kernel asks for level 0 unless it is told. No such file: no
  // levels.
  Status use_own_level() {
    auto floor = read("privlevel_floor", kMaxNumber);
    if (!floor.ok() && floor.error().foreign == ENOENT) return success();
    if (!floor.ok()) return floor.error();
    if (Bytes(*floor).text() == "0\n") return success();
    return write("privlevel", *floor);
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
  Result<uint64_t> generation() const {
    TRY_LET(std::vector<uint8_t> text, read("generation", kMaxNumber));
    uint64_t value = 0;
    const char* end = reinterpret_cast<const char*>(text.data()) + text.size();
    auto [at, error] = std::from_chars(reinterpret_cast<const char*>(text.data()), end, value);
    if (error != std::errc() || at + 1 != end || *at != '\n') return fail(Code::tee_failed, "tsm.generation_form");
    return value;
  }

  Status write(const char* attribute, Bytes value) const {
    Fd fd(open((entry_ + "/" + attribute).c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd.valid()) return io_error("tsm.open");
    if (Status written = write_all(fd.get(), value); !written.ok()) return io_error("tsm.write");
    if (::close(fd.release()) != 0) return io_error("tsm.write");
    return success();
  }

  std::string entry_;
};

// The kernel keeps entries until somebody removes them; ours are named for the process that had them.
void remove_left(const std::string& folder) {
  std::unique_ptr<DIR, int (*)(DIR*)> list(opendir(folder.c_str()), closedir);
  if (list == nullptr) return;  // mkdir says why
  const size_t prefix = std::strlen(kPrefix);
  while (const dirent* entry = readdir(list.get())) {
    if (std::strncmp(entry->d_name, kPrefix, prefix) != 0) continue;
    const long pid = std::strtol(entry->d_name + prefix, nullptr, 10);
    const bool dead = pid > 0 && kill(static_cast<pid_t>(pid), 0) != 0 && errno == ESRCH;
    const bool gone = dead || (pid == getpid() && open_entries == 0);
    if (gone) (void)rmdir((folder + "/" + entry->d_name).c_str());
  }
}
}  // namespace

Result<std::unique_ptr<ReportDevice>> open_configfs(const std::string& folder, const char* provider, unsigned owner) {
  remove_left(folder);
  const std::string entry = folder + "/" + kPrefix + std::to_string(getpid()) + "-" + std::to_string(++last_entry);
  if (mkdir(entry.c_str(), 0700) != 0) {
    const bool missing = errno == ENOENT || errno == ENXIO || errno == ENODEV;
    return fail(missing ? Code::tee_missing : Code::tee_failed, "tsm.entry", Origin::errno_value, errno);
  }
  auto device = std::make_unique<Configfs>(entry);
  TRY_LET(std::vector<uint8_t> name, device->read("provider", 64));
  if (!name.empty() && name.back() == '\n') name.pop_back();
  if (Bytes(name).text() != provider) return fail(Code::tee_missing, "tsm.provider");
  TRY(device->use_own_level());
  if (owner != 0) {
    if (chown(entry.c_str(), owner, owner) != 0) return io_error("tsm.owner");
    for (const char* attribute : {"/inblob", "/outblob", "/auxblob", "/generation"}) {
      if (chown((entry + attribute).c_str(), owner, owner) != 0 && errno != ENOENT) return io_error("tsm.owner");
    }
  }
  return std::unique_ptr<ReportDevice>(std::move(device));
}

}  // namespace cstl::tsm
