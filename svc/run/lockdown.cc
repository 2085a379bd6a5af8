#include "svc/run/lockdown.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "crypto/base/fd.h"
#include "crypto/base/secret.h"

namespace cstl {

namespace {
// Landlock beyond ABI 1 (Documentation/userspace-api/landlock.rst), by number: distributions' headers lag behind.
constexpr uint64_t kFsAbi1 = (uint64_t{1} << 13) - 1;
constexpr uint64_t kFsRefer = uint64_t{1} << 13;     // ABI 2
constexpr uint64_t kFsTruncate = uint64_t{1} << 14;  // ABI 3
constexpr uint64_t kFsIoctlDev = uint64_t{1} << 15;  // ABI 5
constexpr uint64_t kNetBind = 1, kNetConnect = 2;    // ABI 4
constexpr uint64_t kScopes = 3;                      // ABI 6: abstract unix sockets and signals
// Rights that apply to a file itself; the others are refused by the kernel unless the path is a folder.
constexpr uint64_t kFsFileRights = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                                   LANDLOCK_ACCESS_FS_READ_FILE | kFsTruncate | kFsIoctlDev;

struct RulesetAttributes {
  uint64_t fs;
  uint64_t net;
  uint64_t scoped;
};

Error broken(const char* site) { return fail(Code::sandbox_failed, site, Origin::errno_value, errno); }

Status drop_root(uid_t uid) {
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) return broken("lockdown.ambient");
  for (unsigned long capability = 0;; ++capability) {  // the kernel may know more than our headers
    int present = prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
    if (present < 0 && errno == EINVAL) break;
    if (present < 0) return broken("lockdown.bounding_read");
    if (present == 1 && prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) return broken("lockdown.bounding");
  }
  gid_t gid = static_cast<gid_t>(uid);
  if (setgroups(0, nullptr) != 0) return broken("lockdown.groups");
  if (setresgid(gid, gid, gid) != 0) return broken("lockdown.gid");
  if (setresuid(uid, uid, uid) != 0) return broken("lockdown.uid");
  return success();
}

Status gain_nothing() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[2] = {};
  if (syscall(SYS_capset, &header, none) != 0) return broken("lockdown.capabilities");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return broken("lockdown.no_new_privs");
  __user_cap_data_struct left[2] = {};
  if (syscall(SYS_capget, &header, left) != 0) return broken("lockdown.capabilities_read");
  for (const auto& set : left) {
    if ((set.effective | set.permitted | set.inheritable) != 0) {
      return fail(Code::sandbox_failed, "lockdown.capability_left");
    }
  }
  return success();
}

// Whether this process could become another user: root outside of a pod, or in one that kept the rights to.
Result<bool> may_change_user() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[2] = {};
  if (syscall(SYS_capget, &header, sets) != 0) return broken("lockdown.capabilities_read");
  constexpr uint32_t kNeeded = 1u << CAP_SETUID | 1u << CAP_SETGID | 1u << CAP_SETPCAP;
  return geteuid() == 0 && (sets[0].effective & kNeeded) == kNeeded;
}

Status drop_privileges(uid_t uid) {
  if (geteuid() == 0) {
    TRY(drop_root(uid));
  } else if (geteuid() != uid) {  // in a pod it is the service's user from the start
    return fail(Code::denied, "lockdown.root", Origin::errno_value, EPERM);
  }
  TRY(gain_nothing());

  uid_t real = 0, effective = 0, saved = 0;
  if (getresuid(&real, &effective, &saved) != 0 || real != uid || effective != uid || saved != uid || setuid(0) == 0) {
    return fail(Code::sandbox_failed, "lockdown.uid_check");
  }
  gid_t gids[3] = {};
  if (getresgid(&gids[0], &gids[1], &gids[2]) != 0 || gids[0] == 0 || gids[1] == 0 || gids[2] == 0) {
    return fail(Code::sandbox_failed, "lockdown.gid_check");
  }
  return success();
}

Status add_path(int ruleset, const char* path, uint64_t rights) {
  TRY_LET(Fd fd, open_file(path, O_PATH));
  struct stat info {};
  if (fstat(fd.get(), &info) != 0) return broken("lockdown.path_stat");
  landlock_path_beneath_attr rule{};
  rule.allowed_access = S_ISDIR(info.st_mode) ? rights : rights & kFsFileRights;
  rule.parent_fd = fd.get();
  if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0) {
    return broken("lockdown.path_rule");
  }
  return success();
}
}  // namespace

Result<int> restrict_paths(const LandlockPolicy& landlock, std::initializer_list<LandlockPath> paths, Tcp tcp) {
  long abi = syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi < 1) return broken("lockdown.landlock");
  RulesetAttributes attributes{kFsAbi1, 0, 0};
  if (abi >= 2) attributes.fs |= kFsRefer;
  if (abi >= 3) attributes.fs |= kFsTruncate;
  if (abi >= 4) attributes.net = tcp == Tcp::connect ? kNetBind : kNetBind | kNetConnect;
  if (abi >= 5) attributes.fs |= kFsIoctlDev;
  if (abi >= 6) attributes.scoped = kScopes;
  size_t size = abi >= 6 ? sizeof attributes : abi >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t);
  Fd ruleset(static_cast<int>(syscall(SYS_landlock_create_ruleset, &attributes, size, 0)));
  if (!ruleset.valid()) return broken("lockdown.ruleset");

  for (size_t i = 0; i < landlock.count; ++i) {
    const LandlockRule& rule = landlock.rules[i];
    const char* path = rule.path[0] == '$' ? nullptr : rule.path;
    for (const LandlockPath& known : paths) {
      if (known.name == rule.path) path = known.path;
    }
    if (path == nullptr) return fail(Code::sandbox_failed, "lockdown.path_unknown");
    TRY(add_path(ruleset.get(), path, rule.rights & attributes.fs));
  }
  if (syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) return broken("lockdown.restrict");
  return static_cast<int>(abi);
}

Status restrict_calls(const SeccompPolicy& seccomp) {
  sock_fprog program{seccomp.length, const_cast<sock_filter*>(seccomp.program)};
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0) return broken("lockdown.seccomp");
  return success();
}

Result<LockdownReport> lock_down(uid_t uid, const SeccompPolicy& seccomp, const LandlockPolicy& landlock,
                                 std::initializer_list<LandlockPath> paths, Tcp tcp) {
  TRY(drop_privileges(uid));
  TRY(forbid_dumps());  // after the change of user, which resets it
  LockdownReport report;
  TRY_LET(report.landlock_abi, restrict_paths(landlock, paths, tcp));
  TRY(restrict_calls(seccomp));
  return report;
}

Result<LockdownReport> lock_down_child(uid_t uid, const SeccompPolicy& seccomp, const LandlockPolicy& landlock) {
  TRY_LET(const bool changes, may_change_user());
  if (changes) return lock_down(uid, seccomp, landlock, {});
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) return broken("lockdown.ambient");
  TRY(gain_nothing());
  TRY(forbid_dumps());
  LockdownReport report;
  TRY_LET(report.landlock_abi, restrict_paths(landlock, {}));
  TRY(restrict_calls(seccomp));
  return report;
}

}  // namespace cstl
