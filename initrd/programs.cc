#include "initrd/programs.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/base/log.h"
#include "initrd/cgroups.h"
#include "initrd/children.h"

namespace cstl {
namespace {

constexpr int kFirstPauseMs = 500;
constexpr int kLongestPauseMs = 10000;
constexpr int kStableMs = 60000;
constexpr int kEndMs = 10000;
constexpr rlim_t kFiles = 1048576;  // the kernel's own limit (fs.nr_open)

// Of a child that could not become the program: where it failed, and errno.
struct Failure {
  int stage = 0;
  int number = 0;
};
enum Stage { kDescriptors = 1, kGroup, kLimits, kExecute };
constexpr const char* kSites[] = {"program", "program.descriptors", "program.cgroup", "program.limits",
                                  "program.execute"};

bool set_limits() {
  const rlimit files{kFiles, kFiles}, unlimited{RLIM_INFINITY, RLIM_INFINITY};
  return setrlimit(RLIMIT_NOFILE, &files) == 0 && setrlimit(RLIMIT_NPROC, &unlimited) == 0;
}

[[noreturn]] void become(const StartRequest& request, const std::string& cgroups, int output, int report) {
  const auto give_up = [&](Stage stage, int number) {
    const Failure failure{stage, number};
    (void)!write(report, &failure, sizeof failure);
    _exit(127);
  };
  const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (nothing < 0 || dup2(nothing, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0 || !keep_descriptors(3))
    give_up(kDescriptors, errno);
  (void)setsid();
  if (!cgroups.empty()) {
    const Status entered = enter_cgroup(cgroups, request.name);
    if (!entered.ok()) give_up(kGroup, static_cast<int>(entered.error().foreign));
    if (!set_limits()) give_up(kLimits, errno);
    keep_from_oom_killer();
  }
  std::vector<const char*> arguments;
  for (const std::string& argument : request.arguments) arguments.push_back(argument.c_str());
  arguments.push_back(nullptr);
  give_up(kExecute, execute(arguments.data()));
  _exit(127);
}

}  // namespace

Status Programs::run(Program& program) {
  int report[2];
  if (pipe2(report, O_CLOEXEC) != 0) return fail_errno("program.pipe");
  const Fd ours(report[0]);
  Fd theirs(report[1]);
  program.started = monotonic_ms();
  const pid_t pid = fork();
  if (pid < 0) return fail_errno("program.fork");
  if (pid == 0) become(program.request, cgroups_, program.input.get(), theirs.get());
  theirs = Fd();
  Failure failure;
  ssize_t n;
  while ((n = read(ours.get(), &failure, sizeof failure)) < 0 && errno == EINTR) {
  }
  if (n == static_cast<ssize_t>(sizeof failure)) {
    (void)waitpid(pid, nullptr, 0);
    errno = failure.number;
    return fail_errno(kSites[failure.stage]);
  }
  program.pid = pid;
  log_info("program.started", {{"name", program.request.name}, {"pid", int64_t{pid}}, {"log", program.log.path()}});
  return success();
}

Status Programs::start(const StartRequest& request) {
  const bool absolute = !request.arguments.empty() && request.arguments[0].substr(0, 1) == "/";
  if (!absolute) return fail(Code::bad_value, "program.path");
  const auto same = [&](const auto& program) { return program->request.name == request.name; };
  auto at = std::find_if(programs_.begin(), programs_.end(), same);
  if (at == programs_.end()) {
    auto program = std::make_unique<Program>(request, logs_ + "/" + request.name + ".log");
    int output[2];
    if (pipe2(output, O_CLOEXEC) != 0) return fail_errno("program.output");
    program->output = Fd(output[0]);
    program->input = Fd(output[1]);
    if (fcntl(output[0], F_SETFL, O_NONBLOCK) != 0) return fail_errno("program.output");
    at = programs_.insert(programs_.end(), std::move(program));
  } else {
    end(**at);
  }
  Program& program = **at;
  program.request = request;
  program.pause_ms = 0;
  const Status running = run(program);
  if (!running.ok()) programs_.erase(at);
  return running;
}

void Programs::end(Program& program) {
  if (program.pid <= 0) return;
  (void)kill(program.pid, SIGTERM);
  const int64_t last = monotonic_ms() + kEndMs;
  int status = 0;
  pid_t pid;
  while ((pid = waitpid(program.pid, &status, WNOHANG)) == 0 && monotonic_ms() < last) usleep(20 * 1000);
  if (pid == 0) {
    (void)kill(program.pid, SIGKILL);
    (void)waitpid(program.pid, &status, 0);
  }
  log_info("program.replaced", {{"name", program.request.name}, {"pid", int64_t{program.pid}}});
  program.pid = -1;
}

void Programs::pause(Program& program) {
  program.pause_ms = std::min(std::max(2 * program.pause_ms, kFirstPauseMs), kLongestPauseMs);
  program.due = monotonic_ms() + program.pause_ms;
}

bool Programs::ended(pid_t pid, int status) {
  for (const auto& program : programs_) {
    if (program->pid != pid) continue;
    program->pid = -1;
    if (monotonic_ms() - program->started >= kStableMs) program->pause_ms = 0;
    pause(*program);
    log_warning("program.ended",
                {{"name", program->request.name},
                 {WIFSIGNALED(status) ? "signal" : "exit",
                  int64_t{WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status)}},
                 {"again_in_milliseconds", int64_t{program->pause_ms}},
                 {"why", "see " + program->log.path()}});
    return true;
  }
  return false;
}

int Programs::wait_ms() const {
  int64_t first = -1;
  for (const auto& program : programs_) {
    if (program->pid > 0) continue;
    const int64_t left = std::max<int64_t>(program->due - monotonic_ms(), 0);
    if (first < 0 || left < first) first = left;
  }
  return static_cast<int>(first);
}

void Programs::start_due() {
  for (const auto& program : programs_) {
    if (program->pid > 0 || program->due > monotonic_ms()) continue;
    const Status running = run(*program);
    if (running.ok()) continue;
    pause(*program);
    log_error("program.not_started", running.error(), {{"name", program->request.name}});
  }
}

void Programs::forward(size_t i) {
  const Status written = programs_[i]->log.forward(programs_[i]->output.get());
  if (!written.ok()) {
    log_error("program.output_lost", written.error(),
              {{"name", programs_[i]->request.name}, {"log", programs_[i]->log.path()}});
  }
}

}  // namespace cstl
