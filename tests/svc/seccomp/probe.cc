// What tests/svc/seccomp_test.sh runs in a service's container instead of the service: makes one call after the other
// and prints for each `NAME: refused` (EPERM) or `NAME: passed` (whatever else the kernel says of it). With an
// argument, only the call of that name.
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

namespace {

struct Row {
  const char* name;
  long number;
  unsigned long arguments[6];
};

unsigned long pointer(const void* p) { return reinterpret_cast<unsigned long>(p); }

const char* call(const Row& row) {
  errno = 0;
  const unsigned long* a = row.arguments;
  const long result = syscall(row.number, a[0], a[1], a[2], a[3], a[4], a[5]);
  const int error = errno;
  if (row.number == SYS_clone && result == 0) _exit(0);
  if (row.number == SYS_clone && result > 0) (void)waitpid(static_cast<pid_t>(result), nullptr, 0);
  return result < 0 && error == EPERM ? "refused" : "passed";
}

}  // namespace

int main(int argc, char** argv) {
  static unsigned char page[8192];
  const unsigned long aligned = (pointer(page) + 4095) & ~4095UL;
  static const unsigned int allow = SECCOMP_RET_ALLOW;
  constexpr unsigned long kPrivate = MAP_PRIVATE | MAP_ANONYMOUS, kNoFd = ~0UL;
  const auto kHere = static_cast<unsigned long>(AT_FDCWD);
  const Row rows[] = {
      // allowed by every profile
      {"getpid", SYS_getpid, {}},
      {"memory", SYS_mmap, {0, 4096, PROT_READ | PROT_WRITE, kPrivate, kNoFd, 0}},
      {"unix socket", SYS_socket, {AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0}},
      {"open to read", SYS_openat, {kHere, pointer("/proc/self/stat"), O_RDONLY | O_CLOEXEC}},
      {"fork", SYS_clone, {SIGCHLD}},
      // by one only
      {"netlink socket", SYS_socket, {AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0}},
      {"the socket's mode", SYS_chmod, {pointer("/none"), 0660}},
      // by none, because of the call
      {"memfd_create", SYS_memfd_create, {pointer("x"), 0}},
      {"personality", SYS_personality, {0xffffffff}},
      {"ptrace", SYS_ptrace, {PTRACE_ATTACH, 9999999}},
      {"unshare", SYS_unshare, {CLONE_FS}},
      {"symlink", SYS_symlink, {pointer("x"), pointer("/none/x")}},
      {"mkdir", SYS_mkdir, {pointer("/none/x"), 0700}},
      {"kill", SYS_kill, {static_cast<unsigned long>(getpid()), 0}},
      {"dup", SYS_dup, {0}},
      {"pipe2", SYS_pipe2, {pointer(page), 0}},
      {"legacy open", SYS_open, {pointer("/proc/self/stat"), O_RDONLY}},
      // by none, because of an argument
      {"executable memory", SYS_mmap, {0, 4096, PROT_READ | PROT_EXEC, kPrivate, kNoFd, 0}},
      {"memory made executable", SYS_mprotect, {aligned, 4096, PROT_READ | PROT_EXEC}},
      {"UDP socket", SYS_socket, {AF_INET, SOCK_DGRAM, 0}},
      {"open to read and write", SYS_openat, {kHere, pointer("/proc/self/comm"), O_RDWR | O_CLOEXEC}},
      {"fork that shares", SYS_clone, {SIGCHLD | CLONE_FS}},
      {"another socket option", SYS_setsockopt, {kNoFd, SOL_SOCKET, SO_BROADCAST}},
      {"another prctl", SYS_prctl, {PR_GET_SECCOMP}},
      {"another seccomp", SYS_seccomp, {SECCOMP_GET_ACTION_AVAIL, 0, pointer(&allow)}},
      {"another fcntl", SYS_fcntl, {0, F_DUPFD, 0}},
      {"another mode", SYS_chmod, {pointer("/none"), 04755}},
      {"another owner", SYS_lchown, {pointer("/none"), 0, 0}},
  };
  for (const Row& row : rows) {
    if (argc == 1 || std::strcmp(argv[1], row.name) == 0) std::printf("%s: %s\n", row.name, call(row));
  }
  return 0;
}
