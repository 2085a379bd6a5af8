#include "initrd/cgroups.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "crypto/base/fd.h"

namespace cstl {
namespace {

Error mount_error(const char* site) { return fail(Code::mount_failed, site, Origin::errno_value, errno); }

Status write_line(const std::string& path, const std::string& text) {
  TRY_LET(const Fd fd, open_file(path.c_str(), O_WRONLY));
  return write_all(fd.get(), text);
}

// One by one, since a single one that cannot be enabled would spoil the rest. Returns those that were.
Result<std::string> enable_controllers(const std::string& folder) {
  TRY_LET(const auto offered, read_file((folder + "/cgroup.controllers").c_str(), 4096));
  std::string out;
  std::string_view left = Bytes(offered).text();
  while (!left.empty()) {
    const std::string name(left.substr(0, left.find_first_of(" \n")));
    left.remove_prefix(name.size() < left.size() ? name.size() + 1 : name.size());
    if (name.empty() || !write_line(folder + "/cgroup.subtree_control", "+" + name).ok()) continue;
    if (!out.empty()) out += ' ';
    out += name;
  }
  return out;
}

}  // namespace

Result<std::string> mount_cgroups() {
  const std::string root = kCgroups;
  if (mount("cgroup2", kCgroups, "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, "nsdelegate,memory_recursiveprot") != 0)
    return mount_error("mount.cgroup2");
  for (const char* folder : {"/init", "/system"}) {
    if (mkdir((root + folder).c_str(), 0755) != 0 && errno != EEXIST) return mount_error("cgroup.folder");
  }
  TRY(write_line(root + "/init/cgroup.procs", "1"));
  TRY_LET(std::string controllers, enable_controllers(root));
  TRY_LET(const std::string below, enable_controllers(root + "/system"));
  return controllers;
}

Status enter_cgroup(const std::string& folder, const std::string& name) {
  const std::string leaf = folder + "/" + name;
  if (mkdir(leaf.c_str(), 0755) != 0 && errno != EEXIST) return fail_errno("cgroup.leaf");
  return write_line(leaf + "/cgroup.procs", "0");
}

}  // namespace cstl
