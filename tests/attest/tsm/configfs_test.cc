// configfs-tsm as a program meets it: a mounted file system that keeps to the kernel's rules, and goes wrong as it may.
#include <doctest/doctest.h>

#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "attest/tsm/report_device.h"
#include "crypto/base/fd.h"
#include "tests/harness/tsm_folder.h"

namespace cstl {
namespace {

using test::TsmAnswer;
using test::TsmFolder;
using test::TsmKernel;

// The report is the data, thrice; the certificates are the data once.
TsmAnswer echo(const Digest64& data) {
  TsmAnswer out;
  for (int i = 0; i < 3; ++i) out.outblob.insert(out.outblob.end(), data.begin(), data.end());
  out.auxblob.assign(data.begin(), data.end());
  return out;
}

bool is_echo(const tsm::Report& report, const Digest64& data) {
  return report.bytes == echo(data).outblob && report.certificates == echo(data).auxblob;
}

Digest64 numbered(size_t n) {
  Digest64 out;
  for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<uint8_t>(n + i);
  return out;
}

// The one that is there.
std::string entry_in(const TsmFolder& folder) {
  for (const auto& item : std::filesystem::directory_iterator(folder.path())) return item.path();
  return {};
}

TEST_CASE("the stand-in keeps to the kernel's rules") {
  auto folder = TsmFolder::mount("sev_guest", echo);
  const std::string entry = folder->path() + "/mine";
  auto opens = [&entry](const char* file, int flags) {
    Fd fd(open((entry + file).c_str(), flags | O_CLOEXEC));
    return fd.valid() ? 0 : errno;
  };
  auto reads = [&entry](const char* file) {
    Fd fd(open((entry + file).c_str(), O_RDONLY | O_CLOEXEC));
    char one = 0;
    return read(fd.get(), &one, 1) >= 0 ? 0 : errno;
  };
  auto text = [&entry](const char* file) {
    auto bytes = read_file((entry + file).c_str(), 4096);
    return bytes.ok() ? std::string(Bytes(*bytes).text()) : std::string();
  };
  auto writes = [&entry](const char* file, size_t size) {
    Fd fd(open((entry + file).c_str(), O_WRONLY | O_CLOEXEC));
    const std::vector<uint8_t> data(size, '1');
    return write(fd.get(), data.data(), data.size()) >= 0 ? 0 : errno;
  };
  REQUIRE(mkdir(entry.c_str(), 0700) == 0);
  CHECK(mkdir(entry.c_str(), 0700) != 0);
  CHECK(errno == EEXIST);
  CHECK(text("/provider") == "sev_guest\n");
  CHECK(text("/generation") == "0\n");
  CHECK(opens("/inblob", O_RDONLY) == EACCES);
  CHECK(opens("/outblob", O_WRONLY) == EACCES);
  CHECK(opens("/manifest", O_RDONLY) == ENOENT);
  CHECK(reads("/outblob") == EINVAL);
  CHECK(writes("/inblob", 65) == EFBIG);
  CHECK(text("/generation") == "0\n");
  CHECK(writes("/inblob", 64) == 0);
  CHECK(text("/generation") == "1\n");
  CHECK(reads("/outblob") == 0);
  CHECK(text("/outblob").size() == 192);
  CHECK(writes("/privlevel", 1) == 0);
  CHECK(text("/generation") == "2\n");
  CHECK(folder->privlevel() == 1);
  // What close() finds is told to nobody.
  TsmKernel busy;
  busy.lost_writes = 1;
  folder->behave(busy);
  Fd fd(open((entry + "/inblob").c_str(), O_WRONLY | O_CLOEXEC));
  CHECK(write(fd.get(), "x", 1) == 1);
  CHECK(fd.close().ok());
  CHECK(text("/generation") == "2\n");
  // An entry's end is the end of its open files.
  Fd late(open((entry + "/generation").c_str(), O_RDONLY | O_CLOEXEC));
  CHECK(rmdir(entry.c_str()) == 0);
  char one = 0;
  CHECK(read(late.get(), &one, 1) < 0);
  CHECK(errno == ENOENT);
}

TEST_CASE("every report is over its own data, with the certificates of the same report") {
  auto folder = TsmFolder::mount("sev_guest", echo);
  auto device = tsm::open_configfs(folder->path(), "sev_guest");
  REQUIRE(device.ok());
  CHECK(folder->entries() == 1);
  for (size_t i = 0; i < 100; ++i) {
    auto report = (*device)->report(numbered(i));
    REQUIRE(report.ok());
    REQUIRE(is_echo(*report, numbered(i)));
  }
  device->reset();
  CHECK(folder->entries() == 0);
}

TEST_CASE("the largest blobs pass, and larger ones are an error") {
  size_t size = 32 * 1024;
  auto folder = TsmFolder::mount("tdx_guest", [&size](const Digest64&) {
    TsmAnswer out;
    out.outblob.assign(size, 7);
    return out;
  });
  auto device = tsm::open_configfs(folder->path(), "tdx_guest");
  REQUIRE(device.ok());
  auto whole = (*device)->report(numbered(1));
  REQUIRE(whole.ok());
  CHECK(whole->bytes == std::vector<uint8_t>(size, 7));
  CHECK(whole->certificates.empty());
  // A kernel of today refuses.
  size = 32 * 1024 + 1;
  auto refused = (*device)->report(numbered(2));
  CHECK(refused.code() == Code::tee_failed);
  CHECK(refused.error().foreign == EFBIG);
  // A kernel with a larger limit gives it, we don't take it.
  TsmKernel larger;
  larger.max_outblob = 16 << 20;
  folder->behave(larger);
  for (size_t huge : {size_t{32 * 1024 + 1}, size_t{1} << 20}) {
    size = huge;
    CHECK((*device)->report(numbered(3)).code() == Code::too_long);
  }
}

TEST_CASE("a short report is passed on as it is, an empty one never") {
  size_t size = 1;
  auto folder = TsmFolder::mount("tdx_guest", [&size](const Digest64&) {
    TsmAnswer out;
    out.outblob.assign(size, 7);
    return out;
  });
  auto device = tsm::open_configfs(folder->path(), "tdx_guest");
  REQUIRE(device.ok());
  CHECK((*device)->report(numbered(1))->bytes.size() == 1);
  size = 0;
  auto empty = (*device)->report(numbered(2));
  CHECK(empty.code() == Code::tee_failed);
  CHECK(std::string(empty.error().site) == "tsm.generation");
}

TEST_CASE("races are seen: a report of other data is never taken") {
  auto folder = TsmFolder::mount("sev_guest", echo);
  auto device = tsm::open_configfs(folder->path(), "sev_guest");
  REQUIRE(device.ok());
  struct Row {
    const char* name;
    unsigned TsmKernel::*fault;
  };
  for (const Row& row : {Row{"another process writes between report and certificates", &TsmKernel::other_writers},
                         Row{"close loses the data", &TsmKernel::lost_writes},
                         Row{"the report is about to change", &TsmKernel::would_block}}) {
    CAPTURE(row.name);
    REQUIRE((*device)->report(numbered(1)).ok());  // so that there is an old report to be had
    TsmKernel kernel;
    kernel.*row.fault = 3;
    folder->behave(kernel);
    auto later = (*device)->report(numbered(2));
    REQUIRE(later.ok());
    CHECK(is_echo(*later, numbered(2)));
    kernel.*row.fault = 1000;
    folder->behave(kernel);
    auto never = (*device)->report(numbered(3));
    CHECK(never.code() == Code::tee_failed);
    CHECK(std::string(never.error().site) == "tsm.generation");
    folder->behave({});
  }
}

TEST_CASE("with another writer on the same entry all the time, reports are ours or errors") {
  auto folder = TsmFolder::mount("sev_guest", echo);
  auto device = tsm::open_configfs(folder->path(), "sev_guest");
  REQUIRE(device.ok());
  std::atomic<bool> stop = false;
  std::atomic<unsigned> written = 0;
  std::thread other([&] {
    const Digest64 theirs = numbered(200);
    const std::string file = entry_in(*folder) + "/inblob";
    while (!stop) {
      Fd fd(open(file.c_str(), O_WRONLY | O_CLOEXEC));
      if (fd.valid() && write(fd.get(), theirs.data(), theirs.size()) > 0) ++written;
    }
  });
  size_t taken = 0, refused = 0;
  for (size_t i = 0; i < 100; ++i) {
    auto report = (*device)->report(numbered(i));
    if (report.ok()) {
      ++taken;
      CHECK(is_echo(*report, numbered(i)));
    } else {
      ++refused;
      CHECK(report.code() == Code::tee_failed);
    }
  }
  stop = true;
  other.join();
  MESSAGE(written.load() << " foreign writes, " << taken << " reports, " << refused << " refusals");
  CHECK(written > 0);
}

TEST_CASE("what dead processes left is removed, what is in use stays") {
  auto folder = TsmFolder::mount("sev_guest", echo);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) _exit(0);
  REQUIRE(waitpid(child, nullptr, 0) == child);
  for (const std::string& name : {"cstl-" + std::to_string(child) + "-1", "cstl-" + std::to_string(child),  // nobody's
                                  "cstl-" + std::to_string(getpid()) + "-0",  // of an earlier process with our number
                                  "cstl-" + std::to_string(getppid()) + "-1", std::string("another")}) {
    REQUIRE(mkdir((folder->path() + "/" + name).c_str(), 0700) == 0);
  }
  auto first = tsm::open_configfs(folder->path(), "sev_guest");
  REQUIRE(first.ok());
  CHECK(folder->entries() == 3);  // our parent's, the stranger's, ours
  auto second = tsm::open_configfs(folder->path(), "sev_guest");
  REQUIRE(second.ok());
  CHECK(folder->entries() == 4);
  CHECK((*first)->report(numbered(1)).ok());
  CHECK((*second)->report(numbered(2)).ok());
}

TEST_CASE("firmware's errors come through, and the next report is asked for anew") {
  int error = 0;
  auto folder = TsmFolder::mount("tdx_guest", [&error](const Digest64& data) {
    TsmAnswer out = echo(data);
    out.error = error;
    return out;
  });
  auto device = tsm::open_configfs(folder->path(), "tdx_guest");
  REQUIRE(device.ok());
  REQUIRE((*device)->report(numbered(1)).ok());
  for (int code : {EIO, EBUSY, ETIMEDOUT, ENOTTY}) {
    error = code;
    auto report = (*device)->report(numbered(2));
    CHECK(report.code() == Code::tee_failed);
    CHECK(report.error().foreign == code);
  }
  error = 0;
  auto report = (*device)->report(numbered(3));
  REQUIRE(report.ok());
  CHECK(is_echo(*report, numbered(3)));
}

TEST_CASE("a provider without certificates has none") {
  auto folder = TsmFolder::mount("tdx_guest", echo);
  TsmKernel kernel;
  kernel.has_auxblob = false;
  kernel.has_privlevel = false;
  folder->behave(kernel);
  auto device = tsm::open_configfs(folder->path(), "tdx_guest");
  REQUIRE(device.ok());
  auto report = (*device)->report(numbered(4));
  REQUIRE(report.ok());
  CHECK(report->bytes == echo(numbered(4)).outblob);
  CHECK(report->certificates.empty());
}

TEST_CASE("under a paravisor the report is of the guest's own level") {
  auto folder = TsmFolder::mount("sev_guest", echo);
  TsmKernel kernel;
  kernel.privlevel_floor = 2;
  folder->behave(kernel);
  auto device = tsm::open_configfs(folder->path(), "sev_guest");
  REQUIRE(device.ok());
  CHECK(folder->privlevel() == 2);
  CHECK((*device)->report(numbered(5)).ok());
}

TEST_CASE("another provider, none, and no configfs-tsm at all are told apart from a failure") {
  auto folder = TsmFolder::mount("arm_cca_guest", echo);
  auto other = tsm::open_configfs(folder->path(), "sev_guest");
  CHECK(other.code() == Code::tee_missing);
  CHECK(std::string(other.error().site) == "tsm.provider");
  CHECK(folder->entries() == 0);
  TsmKernel none;
  none.registered = false;
  folder->behave(none);
  auto unregistered = tsm::open_configfs(folder->path(), "sev_guest");
  CHECK(unregistered.code() == Code::tee_missing);
  CHECK(unregistered.error().foreign == ENXIO);
  CHECK(tsm::open_configfs("/nowhere/tsm/report", "sev_guest").code() == Code::tee_missing);
}

TEST_CASE("whom the entry is given to can make reports, others cannot") {
  auto folder = TsmFolder::mount("sev_guest", echo);
  constexpr unsigned kOwner = 4711;
  auto device = tsm::open_configfs(folder->path(), "sev_guest", kOwner);
  REQUIRE(device.ok());
  for (unsigned uid : {kOwner, kOwner + 1}) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      const bool dropped = setgid(uid) == 0 && setuid(uid) == 0;
      const bool made = dropped && (*device)->report(numbered(uid)).ok();
      _exit(!dropped ? 2 : made ? 0 : 1);
    }
    int status = -1;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WEXITSTATUS(status) == (uid == kOwner ? 0 : 1));
  }
}

}  // namespace
}  // namespace cstl
