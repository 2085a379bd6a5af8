#include "tests/svc/live/inject.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <vector>

namespace cstl::test {

namespace {
constexpr unsigned long kBelowStack = 4096;   // clear of the red zone and of anything that is in use

bool poke(pid_t pid, unsigned long address, const std::string& text) {
  std::vector<char> bytes(text.begin(), text.end());
  bytes.resize((text.size() / sizeof(long) + 1) * sizeof(long), 0);
  for (size_t i = 0; i < bytes.size(); i += sizeof(long)) {
    long word = 0;
    std::memcpy(&word, bytes.data() + i, sizeof word);
    if (ptrace(PTRACE_POKEDATA, pid, address + i, word) != 0) return false;
  }
  return true;
}

// Follows the process to its next system call stop; false when it died (status says how).
bool to_call_stop(pid_t pid, int* status) {
  int signal = 0;
  for (;;) {
    if (ptrace(PTRACE_SYSCALL, pid, 0, signal) != 0 || waitpid(pid, status, 0) != pid) return false;
    if (!WIFSTOPPED(*status)) return false;
    if (WSTOPSIG(*status) == (SIGTRAP | 0x80)) return true;
    signal = WSTOPSIG(*status) == SIGTRAP || WSTOPSIG(*status) == SIGSTOP ? 0 : WSTOPSIG(*status);
  }
}
}  // namespace

Injected inject(pid_t pid, long number, std::array<unsigned long, 6> arguments, const std::string& path) {
  Injected out;
  int status = 0;
  user_regs_struct before{};
  for (int attempt = 0; attempt < 200 && !out.stopped; ++attempt) {
    if (attempt > 0) usleep(5'000);
    if (ptrace(PTRACE_ATTACH, pid, 0, 0) != 0 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status)) return out;
    ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD);
    ptrace(PTRACE_GETREGS, pid, 0, &before);
    // Stopped in poll or read, rip is behind a syscall instruction (two bytes), which serves for our call, too.
    out.stopped = (before.orig_rax == SYS_poll || before.orig_rax == SYS_read) &&
                  (ptrace(PTRACE_PEEKTEXT, pid, before.rip - 2, 0) & 0xffff) == 0x050f;
    if (!out.stopped) ptrace(PTRACE_DETACH, pid, 0, 0);
  }
  if (!out.stopped) return out;
  user_regs_struct regs = before;
  unsigned long place = (before.rsp - kBelowStack) & ~15UL;
  if (!poke(pid, place, path)) out.stopped = false;
  for (unsigned long& argument : arguments) {
    if (argument == kPath) argument = place;
  }
  regs.rip = before.rip - 2;
  regs.rax = static_cast<unsigned long>(number);
  regs.orig_rax = ~0UL;  // nothing to restart
  regs.rdi = arguments[0];
  regs.rsi = arguments[1];
  regs.rdx = arguments[2];
  regs.r10 = arguments[3];
  regs.r8 = arguments[4];
  regs.r9 = arguments[5];
  if (!out.stopped || ptrace(PTRACE_SETREGS, pid, 0, &regs) != 0) {
    ptrace(PTRACE_DETACH, pid, 0, 0);
    out.stopped = false;
    return out;
  }
  // The call's entry, then its exit: both are reported for a call that seccomp refuses, too. Death comes with the next step.
  if (to_call_stop(pid, &status) && to_call_stop(pid, &status)) {
    user_regs_struct after{};
    ptrace(PTRACE_GETREGS, pid, 0, &after);
    out.result = static_cast<long>(after.rax);
    before.orig_rax = ~0UL;
    before.rax = static_cast<unsigned long>(-4L);  // EINTR: the loop goes on
    ptrace(PTRACE_SETREGS, pid, 0, &before);
    ptrace(PTRACE_SINGLESTEP, pid, 0, 0);
    if (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
      out.alive = true;
      ptrace(PTRACE_DETACH, pid, 0, 0);
    }
  }
  if (WIFSIGNALED(status)) out.signal = WTERMSIG(status);
  return out;
}

}  // namespace cstl::test
