#include "crypto/base/signals.h"

#include <csignal>
#include <cstdint>
#include <sys/syscall.h>
#include <unistd.h>

namespace cstl {

void default_signals() {
  constexpr size_t kKernelSet = 8;  // bytes of the kernel's sigset_t; libc's is larger
  constexpr uint64_t kDefault[4] = {};  // the kernel's struct sigaction: handler, flags, restorer, mask
  for (int number = 1; number < _NSIG; ++number) {
    (void)syscall(SYS_rt_sigaction, number, kDefault, nullptr, kKernelSet);
  }
  constexpr uint64_t kNone = 0;
  (void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &kNone, nullptr, kKernelSet);
}

}  // namespace cstl
