#include "initrd/root.h"

#include <cerrno>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "crypto/base/fd.h"

namespace cstl {
namespace {

constexpr int kDeepest = 32;  // an initramfs is some ten folders deep

Error mount_error(const char* site) { return fail(Code::mount_failed, site, Origin::errno_value, errno); }

bool is_memory(int folder) {
  struct statfs fs {};
  return fstatfs(folder, &fs) == 0 && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

void empty(int folder, dev_t device, int depth) {
  const int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* entries = copy < 0 ? nullptr : fdopendir(copy);
  if (!entries) {
    if (copy >= 0) (void)close(copy);
    return;
  }
  while (const dirent* entry = readdir(entries)) {
    const char* name = entry->d_name;
    struct stat info {};
    if (std::strcmp(name, ".") == 0 || std::strcmp(name, "..") == 0) continue;
    if (fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) != 0 || info.st_dev != device) continue;
    if (S_ISDIR(info.st_mode) && depth < kDeepest) {
      const Fd below(openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (below.valid()) empty(below.get(), device, depth + 1);
    }
    (void)unlinkat(folder, name, S_ISDIR(info.st_mode) ? AT_REMOVEDIR : 0);
  }
  (void)closedir(entries);  // only read from
}

}  // namespace

bool root_has_programs() { return access((std::string(kSysroot) + "/usr/bin/cstl-bootstrapper").c_str(), X_OK) == 0; }

void empty_folder(int folder) {
  struct stat info {};
  if (fstat(folder, &info) == 0) empty(folder, info.st_dev, 0);
}

Status switch_root() {
  const Fd old(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!old.valid()) return mount_error("switch.old_root");
  (void)umount2("/tmp", MNT_DETACH);  // it is not needed, and not always there
  for (const char* folder : {"/dev", "/proc", "/sys", "/run"}) {
    if (mount(folder, (std::string(kSysroot) + folder).c_str(), nullptr, MS_MOVE, nullptr) != 0)
      return mount_error("switch.move");
  }
  if (chdir(kSysroot) != 0) return mount_error("switch.enter");
  if (mount(".", "/", nullptr, MS_MOVE, nullptr) != 0) return mount_error("switch.root");
  if (chroot(".") != 0 || chdir("/") != 0) return mount_error("switch.chroot");
  if (is_memory(old.get())) empty_folder(old.get());
  return success();
}

}  // namespace cstl
