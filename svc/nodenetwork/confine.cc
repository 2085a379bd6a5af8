#include "svc/nodenetwork/confine.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "crypto/base/secret.h"

namespace cstl {
namespace {

constexpr uint32_t kKept = 1u << CAP_NET_ADMIN;
static_assert(CAP_NET_ADMIN < 32);

Error broken(const char* site) { return fail(Code::sandbox_failed, site, Origin::errno_value, errno); }

// A pod lacks CAP_SETPCAP: its bounding set is what the pod was given, and no_new_privs makes it useless.
Status empty_bounding_set(bool may) {
  for (unsigned long capability = 0; may; ++capability) {
    const int present = prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
    if (present < 0 && errno == EINVAL) break;
    if (present < 0) return broken("confine.bounding_read");
    if (present == 1 && prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) return broken("confine.bounding");
  }
  return success();
}

Status keep_one_capability() {
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) return broken("confine.ambient");
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[2] = {};
  if (syscall(SYS_capget, &header, sets) != 0) return broken("confine.capabilities_read");
  if (geteuid() != 0 || (sets[0].effective & kKept) == 0) {
    return fail(Code::denied, "confine.net_admin", Origin::errno_value, EPERM);
  }
  TRY(empty_bounding_set((sets[0].effective & 1u << CAP_SETPCAP) != 0));
  const __user_cap_data_struct kept[2] = {{kKept, kKept, 0}, {0, 0, 0}};
  if (syscall(SYS_capset, &header, kept) != 0) return broken("confine.capabilities");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return broken("confine.no_new_privs");
  if (syscall(SYS_capget, &header, sets) != 0) return broken("confine.capabilities_read");
  const bool alone = sets[0].effective == kKept && sets[0].permitted == kKept && sets[0].inheritable == 0 &&
                     (sets[1].effective | sets[1].permitted | sets[1].inheritable) == 0;
  return alone ? success() : fail(Code::sandbox_failed, "confine.capability_left");
}

}  // namespace

Result<LockdownReport> confine(std::initializer_list<LandlockPath> paths) {
  TRY(keep_one_capability());
  TRY(forbid_dumps());
  LockdownReport report;
  TRY_LET(report.landlock_abi, restrict_paths(kNodenetworkLandlock, paths, Tcp::connect));
  TRY(restrict_calls(kNodenetworkSeccomp));
  return report;
}

}  // namespace cstl
