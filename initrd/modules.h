// Kernel modules, in the order that the image lists them, one absolute path per line: /etc/cstl/modules of the
// initramfs, and /etc/cstl/node-modules of a root under dm-verity.
#pragma once

#include <functional>
#include <string>

#include "crypto/base/result.h"

namespace cstl {

constexpr const char* kModuleList = "/etc/cstl/modules";
constexpr const char* kNodeModuleList = "/etc/cstl/node-modules";

struct ModuleCount {
  int loaded = 0;
  int absent = 0;  // the hardware it drives is not here (ENODEV), or it is part of the kernel (EEXIST)
};

// Loads each with finit_module(2), compressed ones (.xz, .zst) too. An image without a list loads nothing. A module
// that the kernel refuses does not end the boot, since no trust hangs on it and the step that needs it says what is
// missing: `refused` is called with its path and module_failed (errno). Errors: module_failed, for the list itself.
using ModuleRefused = std::function<void(const std::string& path, const Error& error)>;
Result<ModuleCount> load_modules(const char* list, const ModuleRefused& refused);

}  // namespace cstl
