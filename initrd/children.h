// Starting and confining child processes of PID 1.
#pragma once

#include <sys/types.h>

#include "svc/run/lockdown.h"

namespace cstl {

// In a forked child: default signals, a short fixed environment, exec. Returns errno if that fails.
int execute(const char* const* arguments);
// The same; ends the child with 127 if that fails.
[[noreturn]] void run_program(const char* const* arguments);

// In a forked child: of its descriptors only those below `first` outlive exec. Those that libraries opened (the state
// disk among them) are not all close-on-exec. False with errno if that fails.
bool keep_descriptors(unsigned first);

// In a forked child that the machine cannot do without: when memory ends, others go first (oom_score_adj -999).
void keep_from_oom_killer();

// In a forked child that goes on without exec, once everything that it needs is open: no new privileges, no dumps, user
// and group `id`, no other groups, no capability, no new process, no byte to a file, no path (Landlock), and only the
// system calls of `calls`. Unlike lock_down() (svc/run/lockdown.h) it leaves TCP to the seccomp policy. Requires root.
// Errors: sandbox_failed with errno; the child must then end.
Status confine_self(uid_t id, const SeccompPolicy& calls);

// Written by tools/policyc from policy/seccomp.
extern const SeccompPolicy kRecoverySeccomp, kRejoinSeccomp;

}  // namespace cstl
