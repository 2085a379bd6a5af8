// The kernel's settings for a node, as one table (sysctl.cc): what Kubernetes needs, what the kubelet demands with
// protectKernelDefaults, and what a machine on a hostile network and with strangers' containers should not allow.
#pragma once

#include <functional>

#include "crypto/base/result.h"

namespace cstl {

// Writes all of them below `folder` ("/proc/sys"). One that the kernel refuses or doesn't have does not end the boot:
// `refused` is called with its name and the error by errno (not_found, denied, io).
using SysctlRefused = std::function<void(const char* name, const Error& error)>;
void apply_sysctls(const char* folder, const SysctlRefused& refused);

}  // namespace cstl
