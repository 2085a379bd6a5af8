// Control groups, version 2 only:
//
//   /sys/fs/cgroup/init            PID 1
//   /sys/fs/cgroup/system/NAME     the bootstrapper, and each program that PID 1 keeps running
//   everything else                the kubelet's and containerd's
#pragma once

#include <string>

#include "crypto/base/result.h"

namespace cstl {

constexpr const char* kCgroups = "/sys/fs/cgroup";

// Mounts the hierarchy, enables every controller that the kernel offers for the children of the root and of `system`,
// and moves PID 1 into its leaf. Returns the names of the controllers. Errors: mount_failed with errno.
Result<std::string> mount_cgroups();

// In a forked child: a leaf below `folder` (kCgroups + "/system") for it and all that it starts. Errors by errno.
Status enter_cgroup(const std::string& folder, const std::string& name);

}  // namespace cstl
