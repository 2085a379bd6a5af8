#include "attest/platform/apart.h"

#include <cerrno>
#include <csignal>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace cstl {

namespace {
constexpr size_t kStatus = 2 + 1 + 8;
}  // namespace

Status send_status(int fd, const Status& status) {
  std::array<uint8_t, kStatus> space{};
  Writer w(space);
  w.u16(static_cast<uint16_t>(status.code()));
  w.u8(static_cast<uint8_t>(status.ok() ? Origin::cstl : status.error().origin));
  w.u64(static_cast<uint64_t>(status.ok() ? 0 : status.error().foreign));
  return write_all(fd, space);
}

Status receive_status(int fd, const char* site, Status& said) {
  std::array<uint8_t, kStatus> space{};
  if (!read_exact(fd, space).ok()) return fail(Code::child_failed, site);
  Reader r(space);
  TRY_LET(uint16_t number, r.u16());
  TRY_LET(uint8_t origin, r.u8());
  TRY_LET(uint64_t foreign, r.u64());
  if (number == 0) return success();
  if (origin > static_cast<uint8_t>(Origin::curl)) return fail(Code::child_failed, site);
  said = fail(code_from_number(number), site, static_cast<Origin>(origin), static_cast<int64_t>(foreign));
  return success();
}

Status send_blob(int fd, Bytes blob) {
  std::array<uint8_t, 4> size{};
  Writer w(size);
  w.u32(static_cast<uint32_t>(blob.size()));
  TRY(write_all(fd, size));
  return write_all(fd, blob);
}

Result<std::vector<uint8_t>> receive_blob(int fd, size_t max, const char* site) {
  std::array<uint8_t, 4> head{};
  if (!read_exact(fd, head).ok()) return fail(Code::child_failed, site);
  Reader r(head);
  TRY_LET(uint32_t size, r.u32());
  if (size > max) return fail(Code::too_long, site);
  std::vector<uint8_t> out(size);
  if (!read_exact(fd, out).ok()) return fail(Code::child_failed, site);
  return out;
}

Result<Fd> fork_apart(const char* name, const std::function<void(int fd)>& body, pid_t* child) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return fail_errno("apart.pair");
  Fd ours(pair[0]), theirs(pair[1]);
  const pid_t pid = fork();
  if (pid < 0) return fail_errno("apart.fork");
  if (pid == 0) {
    // Whatever else was open is not this process's business.
    const int fd = theirs.get();
    if (fd > 3) (void)syscall(SYS_close_range, 3, fd - 1, 0);
    (void)syscall(SYS_close_range, fd + 1, ~0u, 0);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)prctl(PR_SET_NAME, name);
    body(fd);
    _exit(0);
  }
  if (child != nullptr) *child = pid;
  return ours;
}

Result<std::vector<uint8_t>> work_apart(const Work& work, const Confine& confine, size_t max, const char* site) {
  if (!confine) return work();
  auto serve = [&](int fd) {
    const Status confined = confine();
    Result<std::vector<uint8_t>> result = confined.ok() ? work() : Result<std::vector<uint8_t>>(confined.error());
    if (!send_status(fd, result.ok() ? success() : Status(result.error())).ok()) return;
    if (result.ok()) (void)send_blob(fd, *result);  // the other end may be gone
  };
  pid_t pid = -1;
  TRY_LET(Fd fd, fork_apart("cstl-metadata", serve, &pid));
  auto answer = [&]() -> Result<std::vector<uint8_t>> {
    Status said = success();
    TRY(receive_status(fd.get(), site, said));
    TRY(said);
    return receive_blob(fd.get(), max, site);
  }();
  fd = Fd();
  (void)kill(pid, SIGKILL);  // it has nothing left to say
  while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  return answer;
}

}  // namespace cstl
