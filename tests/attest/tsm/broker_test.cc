// The report device in a process of its own: two real processes over a socket pair, a mounted stand-in of configfs-tsm,
// and ends that do not keep to the protocol. What the child may not do is shown in tests/svc/attester, with the policy
// that ships.
#include "attest/tsm/broker.h"

#include <doctest/doctest.h>

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "crypto/base/fd.h"
#include "tests/harness/tsm_folder.h"

namespace cstl {
namespace {

using test::TsmAnswer;
using test::TsmFolder;

Digest64 asking(uint8_t first) {
  Digest64 out{};
  out[0] = first;
  return out;
}

// A device that says what it was asked; 0xee makes it fail, 0xff makes it give all that may be given.
class Echo final : public tsm::ReportDevice {
 public:
  Result<tsm::Report> report(const Digest64& data) override {
    if (data[0] == 0xee) return fail(Code::tee_failed, "echo", Origin::errno_value, EIO);
    tsm::Report out{Bytes(data).copy(), {1, 2, 3}};
    if (data[0] == 0xff) {
      out.bytes.assign(tsm::kMaxBlob, 7);
      out.certificates.assign(tsm::kMaxCertificateTable, 9);
    }
    return out;
  }
};

Result<std::unique_ptr<tsm::ReportDevice>> open_echo() { return std::unique_ptr<tsm::ReportDevice>(std::make_unique<Echo>()); }
Status confine_nothing() { return success(); }

pid_t last_child() {
  const std::string id = std::to_string(getpid());
  auto text = read_file(("/proc/" + id + "/task/" + std::to_string(gettid()) + "/children").c_str(), 4096);
  REQUIRE(text.ok());
  std::string list(Bytes(*text).text());
  while (!list.empty() && list.back() == ' ') list.pop_back();
  const size_t space = list.rfind(' ');
  return static_cast<pid_t>(std::atol(list.substr(space == std::string::npos ? 0 : space + 1).c_str()));
}

bool ended(int fd, int milliseconds = 5000) {
  pollfd waiting{fd, POLLIN, 0};
  return poll(&waiting, 1, milliseconds) == 1;
}

// Waits for the child's end, at most five seconds.
bool exits(pid_t pid) {
  for (int i = 0; i < 500; ++i) {
    if (waitpid(pid, nullptr, WNOHANG) == pid) return true;
    usleep(10'000);
  }
  return false;
}

struct IgnoreSigpipe {
  IgnoreSigpipe() { (void)signal(SIGPIPE, SIG_IGN); }  // as every program of ours
} ignore_sigpipe;

TEST_CASE("broker: reports of the device pass whole, also the largest, and its errors, after which it goes on") {
  auto device = tsm::open_apart(open_echo, confine_nothing);
  REQUIRE(device.ok());
  const pid_t child = last_child();
  for (int i = 0; i < 20; ++i) {
    auto report = (*device)->report(asking(static_cast<uint8_t>(i)));
    REQUIRE(report.ok());
    CHECK(report->bytes == Bytes(asking(static_cast<uint8_t>(i))).copy());
    CHECK(report->certificates == std::vector<uint8_t>{1, 2, 3});
    auto large = (*device)->report(asking(0xff));
    REQUIRE(large.ok());
    CHECK(large->bytes == std::vector<uint8_t>(tsm::kMaxBlob, 7));
    CHECK(large->certificates == std::vector<uint8_t>(tsm::kMaxCertificateTable, 9));
    auto failed = (*device)->report(asking(0xee));
    CHECK(failed.code() == Code::tee_failed);
    CHECK(failed.error().origin == Origin::errno_value);
    CHECK(failed.error().foreign == EIO);
    CHECK_FALSE(ended((*device)->lifeline(), 0));
  }
  device->reset();  // our end closes
  CHECK(exits(child));
}

TEST_CASE("broker: the child keeps no descriptor but its own, and opens the device before it is confined") {
  Fd secret(open("/dev/null", O_RDONLY));  // without O_CLOEXEC even
  int order = 0, opened = 0, confined = 0;
  // What the child saw comes back as the report: counters, and its open descriptors.
  class Witness final : public tsm::ReportDevice {
   public:
    Witness(int* opened, int* confined) : opened_(opened), confined_(confined) {}
    Result<tsm::Report> report(const Digest64&) override {
      tsm::Report out{{static_cast<uint8_t>(*opened_), static_cast<uint8_t>(*confined_)}, {}};
      for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        out.certificates.push_back(static_cast<uint8_t>(std::stoi(entry.path().filename().string())));
      }
      return out;
    }

   private:
    int* opened_;
    int* confined_;
  };
  auto device = tsm::open_apart(
      [&]() -> Result<std::unique_ptr<tsm::ReportDevice>> {
        opened = ++order;
        return std::unique_ptr<tsm::ReportDevice>(std::make_unique<Witness>(&opened, &confined));
      },
      [&] {
        confined = ++order;
        return success();
      });
  REQUIRE(device.ok());
  const pid_t child = last_child();
  CHECK(order == 0);  // here nothing was opened
  auto report = (*device)->report({});
  REQUIRE(report.ok());
  CHECK(report->bytes == std::vector<uint8_t>{1, 2});
  int others = 0;  // its end, and the folder that it lists
  for (uint8_t fd : report->certificates) others += fd > 2 ? 1 : 0;
  CHECK(others == 2);
  device->reset();
  CHECK(exits(child));
}

TEST_CASE("broker: what open or confine says is what the caller gets, and no child stays") {
  auto missing = tsm::open_apart(
      []() -> Result<std::unique_ptr<tsm::ReportDevice>> { return fail(Code::tee_missing, "test", Origin::errno_value, ENOENT); },
      confine_nothing);
  CHECK(missing.code() == Code::tee_missing);
  CHECK(missing.error().foreign == ENOENT);
  CHECK(exits(last_child()));
  auto loose = tsm::open_apart(open_echo, [] { return Status(fail(Code::sandbox_failed, "test")); });
  CHECK(loose.code() == Code::sandbox_failed);
  CHECK(exits(last_child()));
  auto dead = tsm::open_apart(open_echo, []() -> Status { _exit(3); });
  CHECK(dead.code() == Code::child_failed);
  CHECK(exits(last_child()));
}

TEST_CASE("broker: when the child is gone the lifeline ends, and every call says so at once") {
  auto device = tsm::open_apart(open_echo, confine_nothing);
  REQUIRE(device.ok());
  REQUIRE((*device)->report({}).ok());
  const pid_t child = last_child();
  CHECK_FALSE(ended((*device)->lifeline(), 0));
  REQUIRE(kill(child, SIGKILL) == 0);
  CHECK(ended((*device)->lifeline()));
  for (int i = 0; i < 3; ++i) CHECK((*device)->report({}).code() == Code::child_failed);
  CHECK(exits(child));
}

TEST_CASE("broker: half a request, and requests without end, cost the child nothing but its time") {
  auto device = tsm::open_apart(open_echo, confine_nothing);
  REQUIRE(device.ok());
  const int line = (*device)->lifeline();
  pid_t child = last_child();
  SUBCASE("half a request, then the end") {
    const std::vector<uint8_t> half(63, 1);
    REQUIRE(write_all(line, half).ok());
    CHECK_FALSE(ended(line, 100));  // it waits for the rest
    REQUIRE(shutdown(line, SHUT_WR) == 0);
  }
  SUBCASE("a flood whose answers nobody reads") {
    REQUIRE(fcntl(line, F_SETFL, O_NONBLOCK) == 0);
    const std::vector<uint8_t> requests(64 * 1024, 0xff);
    size_t taken = 0;
    for (int idle = 0; idle < 20;) {
      const ssize_t n = write(line, requests.data(), requests.size());
      if (n > 0) taken += static_cast<size_t>(n);
      if (n < 0) {
        usleep(10'000);
        ++idle;
      }
    }
    CHECK(taken < (4u << 20));  // then it stands still
    auto memory = read_file(("/proc/" + std::to_string(child) + "/statm").c_str(), 256);
    auto own = read_file("/proc/self/statm", 256);
    REQUIRE(memory.ok());
    auto resident = [](const std::vector<uint8_t>& text) {
      const std::string numbers(Bytes(text).text());
      return std::atol(numbers.c_str() + numbers.find(' '));
    };
    CHECK(resident(*memory) < resident(*own) + 4096);  // pages: not 16 MiB more than its parent
    device->reset();
  }
  CHECK(exits(child));
}

struct Row {
  const char* name;
  std::vector<uint8_t> said;
  Code code;
};

// A child's words, made up.
std::vector<uint8_t> status(uint16_t code, uint8_t origin = 0, uint8_t foreign = 0) {
  return {static_cast<uint8_t>(code >> 8), static_cast<uint8_t>(code), origin, 0, 0, 0, 0, 0, 0, 0, foreign};
}
std::vector<uint8_t> blob(size_t announced, size_t size) {
  std::vector<uint8_t> out = {static_cast<uint8_t>(announced >> 24), static_cast<uint8_t>(announced >> 16),
                              static_cast<uint8_t>(announced >> 8), static_cast<uint8_t>(announced)};
  out.resize(4 + size);
  return out;
}
std::vector<uint8_t> operator+(std::vector<uint8_t> a, const std::vector<uint8_t>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

TEST_CASE("broker: a child that was taken over can say nothing that does harm") {
  const Row rows[] = {
      {"the largest blobs", status(0) + blob(tsm::kMaxBlob, tsm::kMaxBlob) + blob(65536, 65536), Code::ok},
      {"nothing", {}, Code::child_failed},
      {"half a status", {0, 0, 0}, Code::child_failed},
      {"no blob", status(0), Code::child_failed},
      {"half a blob's size", status(0) + std::vector<uint8_t>{0, 0}, Code::child_failed},
      {"a report over its limit", status(0) + blob(tsm::kMaxBlob + 1, tsm::kMaxBlob + 1), Code::too_long},
      {"four gigabytes", status(0) + blob(0xffffffff, 10), Code::too_long},
      {"certificates over their limit", status(0) + blob(4, 4) + blob(tsm::kMaxCertificateTable + 1, 10), Code::too_long},
      {"a blob that is cut", status(0) + blob(100, 99), Code::child_failed},
      {"no second blob", status(0) + blob(100, 100), Code::child_failed},
      {"a code that nobody knows", status(0xfffe), Code::internal},
      {"an origin that nobody knows", status(static_cast<uint16_t>(Code::tee_failed), 0xff, 5), Code::child_failed},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    int pair[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    auto device = tsm::remote_device(pair[0]);
    Fd child(pair[1]);
    std::thread taken_over([&] {
      Digest64 request{};
      CHECK(read_exact(child.get(), request).ok());
      (void)write_all(child.get(), row.said);  // it may be cut off
      child = Fd();
    });
    auto report = device->report({});
    taken_over.join();
    CHECK(std::string(code_name(report.code())) == code_name(row.code));
    CHECK(device->report({}).code() == Code::child_failed);
  }
}

TEST_CASE("broker: words after the answer end the line before the next one") {
  int pair[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
  auto device = tsm::remote_device(pair[0]);
  Fd child(pair[1]);
  REQUIRE(write_all(child.get(), status(0) + blob(1, 1) + blob(0, 0) + status(0)).ok());
  CHECK(device->report({}).ok());
  CHECK(ended(device->lifeline(), 0));  // the service that watches it ends here
}

TEST_CASE("apart: work is done in a process that confined itself, and what it may say is bounded") {
  const pid_t here = getpid();
  auto where = [&]() -> Result<std::vector<uint8_t>> { return std::vector<uint8_t>{static_cast<uint8_t>(getpid() == here)}; };
  auto confined = std::make_shared<bool>(false);
  Confine confine = [confined] {
    *confined = true;
    return success();
  };
  auto witness = [confined]() -> Result<std::vector<uint8_t>> { return std::vector<uint8_t>{static_cast<uint8_t>(*confined)}; };
  CHECK(*work_apart(where, nullptr, 10, "test") == std::vector<uint8_t>{1});
  CHECK(*work_apart(where, confine, 10, "test") == std::vector<uint8_t>{0});
  CHECK(*work_apart(witness, confine, 10, "test") == std::vector<uint8_t>{1});
  CHECK_FALSE(*confined);
  auto sized = [](size_t size) { return [size]() -> Result<std::vector<uint8_t>> { return std::vector<uint8_t>(size); }; };
  CHECK(work_apart(sized(256 * 1024), confine, 256 * 1024, "test")->size() == 256 * 1024);
  CHECK(work_apart(sized(11), confine, 10, "test").code() == Code::too_long);
  CHECK(work_apart(sized(0), confine, 10, "test")->empty());
  auto failed = work_apart([]() -> Result<std::vector<uint8_t>> { return fail(Code::metadata_failed, "x", Origin::http, 404); },
                           confine, 10, "test");
  CHECK(failed.code() == Code::metadata_failed);
  CHECK(failed.error().origin == Origin::http);
  CHECK(failed.error().foreign == 404);
  auto loose = work_apart(where, [] { return Status(fail(Code::sandbox_failed, "x")); }, 10, "test");
  CHECK(loose.code() == Code::sandbox_failed);
  auto killed = work_apart(
      []() -> Result<std::vector<uint8_t>> {
        (void)raise(SIGKILL);
        return std::vector<uint8_t>();
      },
      confine, 10, "test");
  CHECK(killed.code() == Code::child_failed);
  int status = 0;
  CHECK(waitpid(-1, &status, WNOHANG) <= 0);  // nobody is left
}

TEST_CASE("broker: over configfs-tsm, as a user that may use its own entry and nothing else") {
  auto folder = TsmFolder::mount("sev_guest", [](const Digest64& data) {
    TsmAnswer out;
    out.outblob.assign(data.begin(), data.end());
    out.auxblob = {5};
    return out;
  });
  constexpr unsigned kUser = 905;
  auto device = tsm::open_apart([&] { return tsm::open_configfs(folder->path(), "sev_guest", kUser); },
                                []() -> Status { return setresuid(kUser, kUser, kUser) == 0 ? success() : Status(fail_errno("test")); });
  REQUIRE(device.ok());
  const pid_t child = last_child();
  for (uint8_t i = 0; i < 10; ++i) {
    auto report = (*device)->report(asking(i));
    REQUIRE(report.ok());
    CHECK(report->bytes == Bytes(asking(i)).copy());
    CHECK(report->certificates == std::vector<uint8_t>{5});
  }
  const std::string entry = folder->path() + "/cstl-" + std::to_string(child) + "-1";
  struct stat info {};
  REQUIRE(stat(entry.c_str(), &info) == 0);
  CHECK(info.st_uid == kUser);
  CHECK(folder->entries() == 1);
  device->reset();
  CHECK(exits(child));
  // It could not remove its entry; the next one to open does.
  CHECK(folder->entries() == 1);
  auto next = tsm::open_configfs(folder->path(), "sev_guest");
  REQUIRE(next.ok());
  CHECK(folder->entries() == 1);
  CHECK(access(entry.c_str(), F_OK) != 0);
  next->reset();
  CHECK(folder->entries() == 0);
}

}  // namespace
}  // namespace cstl
