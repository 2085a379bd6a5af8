// Against real programs of this machine.
#include "boot/kubernetes/command.h"

#include <doctest/doctest.h>
#include <fstream>
#include <unistd.h>

#include "crypto/base/fd.h"

namespace cstl::kubernetes {
namespace {
Result<CommandEnd> shell(const std::string& script, int timeout_ms = 10'000, std::vector<std::string>* lines = nullptr) {
  Command command;
  command.arguments = {"/bin/sh", "-c", script};
  command.timeout_ms = timeout_ms;
  if (lines) command.on_line = [lines](const std::string& line) { lines->push_back(line); };
  return run_command(command);
}
}  // namespace

TEST_CASE("command: output of both kinds comes line by line, the exit code too") {
  std::vector<std::string> lines;
  auto end = shell("echo one; echo two >&2; printf three; exit 7", 10'000, &lines);
  REQUIRE(end.ok());
  CHECK(end->exit_code == 7);
  CHECK(lines == std::vector<std::string>{"one", "two", "three"});
  CHECK(end->last.size() == 3);
}

TEST_CASE("command: lines are made printable and short, and only the last are kept") {
  auto end = shell("printf 'a\\033[31mb\\tc\\n'; head -c 100000 /dev/zero | tr '\\0' x; echo; i=0; "
                   "while [ $i -lt 50 ]; do echo $i; i=$((i+1)); done");
  REQUIRE(end.ok());
  CHECK(end->last.size() == kKeptLines);
  CHECK(end->last.back() == "49");
  std::vector<std::string> lines;
  (void)shell("printf 'a\\033[31mb\\tc\\n'; head -c 100000 /dev/zero | tr '\\0' x", 10'000, &lines);
  REQUIRE(lines.size() == 2);
  CHECK(lines[0] == "a?[31mb c");
  CHECK(lines[1] == std::string(kMaxLine, 'x'));
}

TEST_CASE("command: it has no descriptor but the three, no input, and a fixed environment") {
  int leak = dup(0);
  auto end = shell("ls /proc/self/fd | wc -l; cat; echo $PATH; env | sort | head -1");
  close(leak);
  REQUIRE(end.ok());
  REQUIRE(end->last.size() == 3);
  CHECK(end->last[0] == "4");  // and the one that ls reads the folder with
  CHECK(end->last[1].rfind("/opt/cstl/bin:", 0) == 0);
  CHECK(end->last[2] == "HOME=/root");
}

TEST_CASE("command: one that does not end is ended, with what it started") {
  std::string marker = "/tmp/cstl-command-" + std::to_string(getpid());
  int64_t before = monotonic_ms();
  auto end = shell("trap '' TERM; (trap '' TERM; sleep 60; touch " + marker + ") & sleep 60", 500);
  CHECK(end.code() == Code::timeout);
  CHECK(monotonic_ms() - before < 10'000);
  CHECK(access(marker.c_str(), F_OK) != 0);
}

TEST_CASE("command: a child that keeps the pipe open does not keep it waiting") {
  int64_t before = monotonic_ms();
  auto end = shell("sleep 30 & echo done");
  REQUIRE(end.ok());
  CHECK(end->exit_code == 0);
  CHECK(monotonic_ms() - before < 10'000);
}

TEST_CASE("command: what is no program, or ends by a signal, says so") {
  Command command;
  command.arguments = {"/nonexistent"};
  CHECK(run_command(command).code() == Code::not_found);
  auto end = shell("kill -9 $$");
  REQUIRE(end.ok());
  CHECK(end->exit_code == -1);
  CHECK(end->signal == 9);
  CHECK(find_program("no-such-program-here").code() == Code::kubernetes_missing);
  CHECK(find_program("env").ok());
}

TEST_CASE("command: the end of a log is its last lines") {
  std::string path = "/tmp/cstl-lines-" + std::to_string(getpid());
  {
    std::ofstream out(path);
    for (int i = 0; i < 20'000; ++i) out << "line " << i << "\n";
  }
  auto lines = last_lines(path, 2);
  CHECK(lines == std::vector<std::string>{"line 19998", "line 19999"});
  unlink(path.c_str());
  CHECK(last_lines(path, 2).empty());
}

}  // namespace cstl::kubernetes
