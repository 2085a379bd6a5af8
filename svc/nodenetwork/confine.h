// Confinement of cstl-nodenetwork. It differs from svc/run/lockdown.h in one thing: CAP_NET_ADMIN stays, and with it
// the user, root. Kubernetes gives a container that runs as another user no effective capability (it sets no ambient
// ones), and a file capability would need allowPrivilegeEscalation; so the pod runs as root with NET_ADMIN alone, which
// owns no more than root's files: Landlock leaves it two of those folders, seccomp no way to run, trace or signal
// anything.
#pragma once

#include "svc/run/lockdown.h"

namespace cstl {

extern const SeccompPolicy kNodenetworkSeccomp;
extern const LandlockPolicy kNodenetworkLandlock;

// Afterwards CAP_NET_ADMIN is the only capability in any set, nothing can be gained (no_new_privs), no dumps are made,
// and both policies are in force. Errors: denied (not root, or without CAP_NET_ADMIN), sandbox_failed with errno.
Result<LockdownReport> confine(std::initializer_list<LandlockPath> paths);

}  // namespace cstl
