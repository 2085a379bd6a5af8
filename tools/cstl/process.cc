#include "tools/cstl/process.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/base/fd.h"

namespace cstl::cli {

namespace {
constexpr int kPollMs = 20;

constexpr int kAnchorFd = 9;  // as kAnchor says

// Where a child's output goes, and the folder that it gets under a fixed number (-1: none).
struct Places {
  int out = -1;
  int error = -1;
  int anchor = -1;
};

[[noreturn]] void become(const std::vector<std::string>& words, const std::string& folder, const Places& places) {
  int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (in < 0 || dup2(in, 0) < 0 || dup2(places.out, 1) < 0 || dup2(places.error, 2) < 0 || chdir(folder.c_str()) != 0) {
    _exit(126);
  }
  if (places.anchor == kAnchorFd) {
    if (fcntl(kAnchorFd, F_SETFD, 0) != 0) _exit(126);
  } else if (places.anchor >= 0 && dup2(places.anchor, kAnchorFd) < 0) {
    _exit(126);
  }
  std::vector<char*> raw;
  for (const std::string& word : words) raw.push_back(const_cast<char*>(word.c_str()));
  raw.push_back(nullptr);
  std::signal(SIGPIPE, SIG_DFL);
  execvp(raw[0], raw.data());
  _exit(127);
}

Status wait_for_end(pid_t child, int64_t deadline) {
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

Result<std::string> read_until(int fd, int64_t deadline, size_t max) {
  std::string out;
  for (;;) {
    pollfd waiting{fd, POLLIN, 0};
    int64_t left = deadline - monotonic_ms();
    if (left <= 0 || poll(&waiting, 1, static_cast<int>(left)) == 0) return fail(Code::timeout, "process.timeout");
    char buffer[4096];
    ssize_t got = read(fd, buffer, sizeof buffer);
    if (got == 0) return out;
    if (got < 0 && errno != EINTR) return fail_errno("process.read");
    if (got > 0) out.append(buffer, static_cast<size_t>(got));
    if (out.size() > max) return fail(Code::too_long, "process.output");
  }
}
}  // namespace

Status run_program(const std::vector<std::string>& words, const std::string& folder, const std::string& log,
                   int timeout_ms, const std::string& anchor) {
  TRY_LET(Fd out, open_file(log.c_str(), O_WRONLY | O_CREAT | O_APPEND));
  Fd held;
  if (!anchor.empty()) {
    TRY_LET(held, open_file(anchor.c_str(), O_RDONLY | O_DIRECTORY));
  }
  pid_t child = fork();
  if (child < 0) return fail_errno("process.fork");
  if (child == 0) become(words, folder, {out.get(), out.get(), held.get()});
  return wait_for_end(child, monotonic_ms() + timeout_ms);
}

Result<std::string> read_program(const std::vector<std::string>& words, const std::string& folder,
                                 const std::string& log, int timeout_ms, size_t max) {
  TRY_LET(Fd error, open_file(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC));
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return fail_errno("process.pipe");
  Fd from(ends[0]);
  Fd to(ends[1]);
  int64_t deadline = monotonic_ms() + timeout_ms;
  pid_t child = fork();
  if (child < 0) return fail_errno("process.fork");
  if (child == 0) become(words, folder, {to.get(), error.get(), -1});
  to = Fd();
  auto text = read_until(from.get(), deadline, max);
  Status ended = wait_for_end(child, text.ok() ? deadline : 0);  // 0: it is not read any more, so it is killed
  if (!text.ok()) return text;
  if (!ended.ok()) return ended.error();
  return text;
}

Status remove_files(const std::string& folder, const std::string& ending) {
  DIR* list = opendir(folder.c_str());
  if (list == nullptr) return fail_errno("process.folder");
  bool removed = true;
  while (const dirent* entry = readdir(list)) {
    std::string name = entry->d_name;
    if (name.size() < ending.size() || name.compare(name.size() - ending.size(), ending.size(), ending) != 0) continue;
    removed = unlink((folder + "/" + name).c_str()) == 0 && removed;
  }
  int number = errno;
  closedir(list);
  return removed ? success() : Status(fail_errno("process.unlink", number));
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
