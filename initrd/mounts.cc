#include "initrd/mounts.h"

#include <cerrno>
#include <sys/mount.h>
#include <sys/stat.h>

namespace cstl {
namespace {

struct Mount {
  const char* type;
  const char* target;
  unsigned long flags;
  const char* options;
  const char* site;
};

constexpr unsigned long kPlain = MS_NOSUID | MS_NODEV | MS_NOEXEC;
constexpr Mount kMounts[] = {
    {"proc", "/proc", kPlain, nullptr, "mount.proc"},
    {"sysfs", "/sys", kPlain, nullptr, "mount.sys"},
    {"devtmpfs", "/dev", MS_NOSUID | MS_NOEXEC, "mode=0755", "mount.dev"},
    {"securityfs", "/sys/kernel/security", kPlain, nullptr, "mount.securityfs"},
    {"tmpfs", "/run", kPlain, "mode=0755,size=20%", "mount.run"},
    {"tmpfs", "/tmp", kPlain, "mode=1777,size=64m", "mount.tmp"},
};

}  // namespace

Status mount_early() {
  for (const Mount& m : kMounts) {
    (void)mkdir(m.target, 0755);  // it exists in most images; a failure shows in mount
    if (mount(m.type, m.target, m.type, m.flags, m.options) != 0 && errno != EBUSY)
      return fail(Code::mount_failed, m.site, Origin::errno_value, errno);
  }
  return success();
}

void mount_configfs() {
  // A machine that needs it and lacks it says so when it opens its report device.
  (void)mount("configfs", "/sys/kernel/config", "configfs", kPlain, nullptr);
}

Status make_run_folders() {
  if (mkdir("/run/cstl", 0755) != 0 && errno != EEXIST) return fail_errno("run.cstl");
  if (mkdir("/run/cstl/state", 0700) != 0 && errno != EEXIST) return fail_errno("run.cstl.state");
  return success();
}

}  // namespace cstl
