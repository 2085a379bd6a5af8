#include "boot/components/confined.h"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace cstl {

namespace {
constexpr unsigned kNobody = 65534;
constexpr size_t kMaxReason = 200;

// What the child tells, in a pipe, each in one write: the same program reads it, but believes nothing of it.
struct Message {
  uint8_t last = 0;                  // 0: progress; 1: the end
  uint8_t origin = 0;
  uint16_t code = 0;
  uint16_t reason_size = 0;
  int64_t foreign = 0;
  uint64_t done = 0, total = 0;
  char reason[kMaxReason] = {};
};
static_assert(sizeof(Message) <= 512, "a pipe takes it whole");

// No process of its making outlives it: one could still write to the file after its hash was compared.
bool drop_rights() {
  rlimit none = {};
  if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
  if (geteuid() == 0 && (setgroups(0, nullptr) != 0 || setresgid(kNobody, kNobody, kNobody) != 0 ||
                         setresuid(kNobody, kNobody, kNobody) != 0 || setuid(0) == 0)) {
    return false;
  }
  // Only now: the limit counts processes of the user, and a change of user undoes the signal.
  return setrlimit(RLIMIT_NPROC, &none) == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0;
}

// Only 0 to 2 (a log, /dev/null), the file and the pipe stay.
bool keep_only(int* file, int* pipe) {
  if (*file == 3 || *pipe == 3 || *file == 4 || *pipe == 4) {
    *file = fcntl(*file, F_DUPFD_CLOEXEC, 5);
    *pipe = fcntl(*pipe, F_DUPFD_CLOEXEC, 5);
  }
  if (*file < 0 || *pipe < 0 || dup3(*file, 3, O_CLOEXEC) != 3 || dup3(*pipe, 4, O_CLOEXEC) != 4) return false;
  *file = 3;
  *pipe = 4;
  return syscall(SYS_close_range, 5u, ~0u, 0u) == 0;
}

void tell(int pipe, const Message& message) { (void)!write(pipe, &message, sizeof message); }

[[noreturn]] void run_child(const std::string& url, int file, int pipe, const std::vector<uint8_t>& ca_pem,
                            const DownloadLimits& limits) {
  Message end;
  end.last = 1;
  Error error = fail(Code::child_failed, "download.confine");
  if (keep_only(&file, &pipe) && drop_rights()) {
    std::string reason;
    auto progress = [&](uint64_t done, uint64_t total) {
      Message message;
      message.done = done;
      message.total = total;
      tell(pipe, message);
    };
    Status status = download(url, file, ca_pem, limits, progress, &reason);
    error = status.ok() ? Error{Code::ok} : status.error();
    end.reason_size = static_cast<uint16_t>(reason.size() < kMaxReason ? reason.size() : kMaxReason);
    std::memcpy(end.reason, reason.data(), end.reason_size);
  }
  end.code = static_cast<uint16_t>(error.code);
  end.origin = static_cast<uint8_t>(error.origin);
  end.foreign = error.foreign;
  tell(pipe, end);
  _exit(0);
}
}  // namespace

Status download_confined(const std::string& url, int file, const std::vector<uint8_t>& ca_pem,
                         const DownloadLimits& limits, const DownloadProgress& progress, std::string* problem) {
  if (problem != nullptr) problem->clear();
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return fail_errno("download.pipe");
  Fd in(ends[0]), out(ends[1]);
  pid_t child = fork();
  if (child < 0) return fail_errno("download.fork");
  if (child == 0) run_child(url, file, out.get(), ca_pem, limits);
  out = Fd();
  Message message;
  bool ended = false;
  while (!ended) {
    std::array<uint8_t, sizeof(Message)> raw;
    if (!read_exact(in.get(), raw).ok()) break;
    std::memcpy(&message, raw.data(), raw.size());
    ended = message.last != 0;
    if (!ended && progress) progress(message.done, message.total);
  }
  (void)kill(child, SIGKILL);  // it has nothing more to say
  while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  if (!ended) return fail(Code::child_failed, "download.child");
  if (message.code == 0) return success();
  if (problem != nullptr)
    problem->assign(message.reason, message.reason_size < kMaxReason ? message.reason_size : kMaxReason);
  Origin origin =
      message.origin <= static_cast<uint8_t>(Origin::curl) ? static_cast<Origin>(message.origin) : Origin::cstl;
  return fail(code_from_number(message.code), "download.https", origin, message.foreign);
}

}  // namespace cstl
