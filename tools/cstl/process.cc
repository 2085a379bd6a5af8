#include "tools/cstl/process.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/base/fd.h"

namespace cstl::cli {

namespace {
constexpr int kPollMs = 20;

[[noreturn]] void become(const std::vector<std::string>& words, const std::string& folder, const std::string& log) {
  int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (out < 0 || in < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0 || chdir(folder.c_str()) != 0) {
    _exit(126);
  }
  std::vector<char*> raw;
  for (const std::string& word : words) raw.push_back(const_cast<char*>(word.c_str()));
  raw.push_back(nullptr);
  std::signal(SIGPIPE, SIG_DFL);
  execvp(raw[0], raw.data());
  _exit(127);
}
}  // namespace

Status run_program(const std::vector<std::string>& words, const std::string& folder, const std::string& log,
                   int timeout_ms) {
  pid_t child = fork();
  if (child < 0) return fail_errno("process.fork");
  if (child == 0) become(words, folder, log);
  int64_t deadline = monotonic_ms() + timeout_ms;
  int status = 0;
  for (;;) {
    pid_t ended = waitpid(child, &status, WNOHANG);
    if (ended == child) break;
    if (ended < 0 && errno != EINTR) return fail_errno("process.wait");
    if (monotonic_ms() > deadline) {
      kill(child, SIGKILL);
      (void)waitpid(child, &status, 0);  // it was killed: there is nothing more to learn
      return fail(Code::timeout, "process.timeout");
    }
    usleep(kPollMs * 1000);
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return success();
  int number = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return Error{Code::no_virtualization, Origin::cstl, number, "process.exit"};
}

bool program_exists(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::string rest = path != nullptr ? path : "/usr/bin:/bin";
  rest += ":";
  for (size_t colon = rest.find(':'); colon != std::string::npos; colon = rest.find(':')) {
    if (access((rest.substr(0, colon) + "/" + name).c_str(), X_OK) == 0) return true;
    rest.erase(0, colon + 1);
  }
  return false;
}

pid_t live_process(const std::string& pid_file, const std::string& word) {
  auto text = read_file(pid_file.c_str(), 64);
  if (!text.ok()) return 0;
  text->push_back(0);
  long pid = std::strtol(reinterpret_cast<const char*>(text->data()), nullptr, 10);
  if (pid <= 1) return 0;
  auto line = read_file(("/proc/" + std::to_string(pid) + "/cmdline").c_str(), 65536);
  if (!line.ok() || Bytes(*line).text().find(word) == std::string_view::npos) return 0;
  return static_cast<pid_t>(pid);
}

Status kill_process(pid_t pid, int signal_number) {
  if (kill(pid, signal_number) != 0 && errno != ESRCH) return fail_errno("process.kill");
  for (int waited = 0; waited < 10000; waited += kPollMs) {
    if (kill(pid, 0) != 0 && errno == ESRCH) return success();
    usleep(kPollMs * 1000);
  }
  return fail(Code::timeout, "process.kill");
}

}  // namespace cstl::cli
