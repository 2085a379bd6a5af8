#include "initrd/children.h"

#include <cerrno>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "crypto/base/fd.h"
#include "crypto/base/secret.h"
#include "crypto/base/signals.h"

namespace cstl {
namespace {

Error sandbox_error(const char* site) { return fail(Code::sandbox_failed, site, Origin::errno_value, errno); }

// No path may be opened any more: a ruleset that handles every right of Landlock's first version and grants none.
Status hide_file_system() {
  landlock_ruleset_attr rules{};
  rules.handled_access_fs = (uint64_t{1} << 13) - 1;
  const Fd fd(static_cast<int>(syscall(SYS_landlock_create_ruleset, &rules, sizeof rules.handled_access_fs, 0)));
  if (!fd.valid()) return sandbox_error("confine.landlock");
  if (syscall(SYS_landlock_restrict_self, fd.get(), 0) != 0) return sandbox_error("confine.landlock");
  return success();
}

}  // namespace

int execute(const char* const* arguments) {
  default_signals();
  const char* environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin:/opt/cstl/bin", "HOME=/root", "LC_ALL=C", nullptr};
  execve(arguments[0], const_cast<char* const*>(arguments), const_cast<char* const*>(environment));
  return errno;
}

void run_program(const char* const* arguments) {
  (void)execute(arguments);
  _exit(127);
}

bool keep_descriptors(unsigned first) { return close_range(first, ~0u, CLOSE_RANGE_CLOEXEC) == 0; }

void keep_from_oom_killer() {
  auto file = open_file("/proc/self/oom_score_adj", O_WRONLY);
  if (file) (void)write_all(file->get(), "-999");  // a kernel that refuses leaves us where everyone is
}

Status confine_self(uid_t id, const SeccompPolicy& calls) {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return sandbox_error("confine.new_privs");
  TRY(hide_file_system());
  const rlimit none{0, 0};
  if (setrlimit(RLIMIT_FSIZE, &none) != 0 || setrlimit(RLIMIT_CORE, &none) != 0) return sandbox_error("confine.limits");
  if (setgroups(0, nullptr) != 0 || setresgid(id, id, id) != 0 || setresuid(id, id, id) != 0)
    return sandbox_error("confine.user");
  // Only now: the limit counts processes of the user.
  if (setrlimit(RLIMIT_NPROC, &none) != 0) return sandbox_error("confine.limits");
  TRY(forbid_dumps());  // after the change of user, which resets it
  return restrict_calls(calls);
}

}  // namespace cstl
