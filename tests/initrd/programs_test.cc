// Real processes; the control group, the limits and the OOM score need root on a machine of our own:
// tests/e2e/root_test.sh.
#include "initrd/programs.h"

#include <csignal>
#include <doctest/doctest.h>
#include <filesystem>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace cstl {
namespace {

struct Rig {
  Rig() {
    char pattern[] = "/tmp/cstl-programs-XXXXXX";
    REQUIRE(mkdtemp(pattern) != nullptr);
    folder = pattern;
    programs = std::make_unique<Programs>(folder, "");
  }
  ~Rig() {
    for (const std::string& line : {text("a"), text("b")}) {
      if (const size_t at = line.rfind("pid="); at != std::string::npos) {
        const pid_t pid = std::atoi(line.c_str() + at + 4);
        if (waitpid(pid, nullptr, WNOHANG) == 0 && kill(pid, SIGKILL) == 0) (void)waitpid(pid, nullptr, 0);
      }
    }
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }
  Status start(const char* name, const char* script) {
    StartRequest request;
    request.name = name;
    request.arguments = {"/bin/sh", "-c", std::string("echo pid=$$; ") + script};
    return programs->start(request);
  }
  std::string text(const std::string& name) const {
    auto bytes = read_file((folder + "/" + name + ".log").c_str(), 1 << 20);
    return bytes ? std::string(Bytes(*bytes).text()) : "";
  }
  // As PID 1 does, until the log of `name` holds `what` `count` times, or ten seconds have passed.
  bool until(const std::string& name, const std::string& what, int count = 1) {
    for (const int64_t end = monotonic_ms() + 10000; monotonic_ms() < end; usleep(5000)) {
      for (size_t i = 0; i < programs->size(); ++i) programs->forward(i);
      int status = 0;
      for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) CHECK(programs->ended(pid, status));
      programs->start_due();
      const std::string log = text(name);
      int seen = 0;
      for (size_t at = 0; (at = log.find(what, at)) != std::string::npos; ++at) ++seen;
      if (seen >= count) return true;
    }
    return false;
  }
  std::string folder;
  std::unique_ptr<Programs> programs;
};

}  // namespace

TEST_CASE("programs: one that ends is started again, after a pause") {
  Rig rig;
  REQUIRE(rig.start("a", "echo here").ok());
  CHECK(rig.programs->wait_ms() == -1);
  const int64_t start = monotonic_ms();
  CHECK(rig.until("a", "here", 2));
  CHECK(monotonic_ms() - start >= 500);
  CHECK(rig.until("a", "here", 3));
  CHECK(monotonic_ms() - start >= 1500);
}

TEST_CASE("programs: each has its own log; errors go there too") {
  Rig rig;
  REQUIRE(rig.start("a", "echo to-output; sleep 60").ok());
  REQUIRE(rig.start("b", "echo to-error >&2; sleep 60").ok());
  CHECK(rig.programs->size() == 2);
  CHECK(rig.until("a", "to-output"));
  CHECK(rig.until("b", "to-error"));
}

TEST_CASE("programs: a second request of that name ends the first") {
  Rig rig;
  REQUIRE(rig.start("a", "trap 'echo asked; exit' TERM; echo first; while :; do sleep 0.01; done").ok());
  REQUIRE(rig.until("a", "first"));
  REQUIRE(rig.start("a", "echo second; sleep 60").ok());
  CHECK(rig.until("a", "second"));
  CHECK(rig.text("a").find("asked") < rig.text("a").find("second"));
  CHECK(rig.programs->size() == 1);
  CHECK(rig.programs->wait_ms() == -1);
}

TEST_CASE("programs: what cannot be executed is an error, and nothing is kept") {
  Rig rig;
  StartRequest request;
  request.name = "a";
  request.arguments = {"/nonexistent/program"};
  CHECK(rig.programs->start(request).code() == Code::not_found);
  request.arguments = {"/etc/passwd"};
  CHECK(rig.programs->start(request).code() == Code::denied);
  request.arguments = {"bin/sh"};
  CHECK(rig.programs->start(request).code() == Code::bad_value);
  CHECK(rig.programs->size() == 0);
  REQUIRE(rig.start("a", "echo now; sleep 60").ok());
  CHECK(rig.until("a", "now"));
}

TEST_CASE("programs: the environment is short, the signals are default") {
  Rig rig;
  (void)setenv("CSTL_TEST", "1", 1);
  // Whoever starts us may ignore any: also 32 and 33, which libc's signal() refuses to touch.
  for (int number : {SIGHUP, SIGPIPE, 32, 33, 64}) {
    const uint64_t ignore[4] = {1 /* SIG_IGN */};
    REQUIRE(syscall(SYS_rt_sigaction, number, ignore, nullptr, size_t{8}) == 0);
  }
  REQUIRE(rig.start("a", "tr '\\0' ' ' </proc/$$/environ; grep SigIgn /proc/$$/status; echo end; sleep 60").ok());
  CHECK(rig.until("a", "end"));
  const std::string text = rig.text("a");
  CHECK(text.find("\nPATH=/usr/sbin:/usr/bin:/sbin:/bin:/opt/cstl/bin HOME=/root LC_ALL=C ") != std::string::npos);
  CHECK(text.find("CSTL_TEST") == std::string::npos);
  CHECK(text.find("SigIgn:\t0000000000000000") != std::string::npos);
}

TEST_CASE("programs: nothing else is one of them") {
  Rig rig;
  REQUIRE(rig.start("a", "sleep 60").ok());
  CHECK_FALSE(rig.programs->ended(getpid(), 0));
  REQUIRE(rig.until("a", "pid="));
}

}  // namespace cstl
