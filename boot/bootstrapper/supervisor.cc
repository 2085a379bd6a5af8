#include "boot/bootstrapper/supervisor.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/base/log.h"

namespace cstl {
namespace {

constexpr int kFirstPauseMs = 500;
constexpr int kLongestPauseMs = 30000;
constexpr int kStableMs = 60000;  // a program that ran this long starts again at once

[[noreturn]] void run_child(const std::vector<std::string>& arguments) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (null < 0 || dup2(null, STDIN_FILENO) < 0) _exit(127);
  if (syscall(SYS_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */) != 0 && errno != ENOSYS) _exit(127);
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  char* environment[] = {nullptr};
  execve(argv[0], argv.data(), environment);
  _exit(127);
}

}  // namespace

Supervisor::~Supervisor() { stop(); }

void Supervisor::keep(Program program) {
  children_.push_back(std::make_unique<Child>());
  children_.back()->program = std::move(program);
  start(*children_.back());
}

void Supervisor::start(Child& child) {
  if (stopping_) return;
  child.started = monotonic_ms();
  pid_t pid = fork();
  if (pid == 0) run_child(child.program.arguments);
  if (pid < 0) {
    log_error("service.start", fail_errno("service.fork"), {{"service", child.program.name}});
    return start_later(child);
  }
  child.pid = pid;
  child.pidfd = Fd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!child.pidfd.valid()) trap("service.pidfd");  // Linux 5.3 and later have it; the child exists and is not reaped yet
  child.watch = loop_.watch(child.pidfd.get(), POLLIN, [this, &child](short) { ended(child); });
  log_info("service.started", {{"service", child.program.name}, {"pid", int64_t{pid}}});
}

void Supervisor::ended(Child& child) {
  int status = 0;
  if (waitpid(child.pid, &status, WNOHANG) != child.pid) return;
  loop_.cancel(child.watch);
  child.pidfd = Fd();
  child.pid = -1;
  log_warning("service.ended", {{"service", child.program.name},
                                {WIFSIGNALED(status) ? "signal" : "exit",
                                 int64_t{WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status)}}});
  if (monotonic_ms() - child.started >= kStableMs) child.pause_ms = 0;
  start_later(child);
}

void Supervisor::start_later(Child& child) {
  if (stopping_) return;
  child.pause_ms = std::min(std::max(2 * child.pause_ms, kFirstPauseMs), kLongestPauseMs);
  loop_.after(child.pause_ms, [this, &child] { start(child); });
}

void Supervisor::stop(int grace_ms) {
  stopping_ = true;
  for (auto& child : children_) {
    if (child->pid > 0) kill(child->pid, SIGTERM);
  }
  int64_t end = monotonic_ms() + grace_ms;
  for (auto& child : children_) {
    if (child->pid <= 0) continue;
    loop_.cancel(child->watch);
    pollfd wait{child->pidfd.get(), POLLIN, 0};
    int left = static_cast<int>(std::max<int64_t>(end - monotonic_ms(), 0));
    if (poll(&wait, 1, left) <= 0) kill(child->pid, SIGKILL);
    waitpid(child->pid, nullptr, 0);
    child->pid = -1;
  }
}

}  // namespace cstl
