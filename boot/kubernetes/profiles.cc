#include "boot/kubernetes/profiles.h"

#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/base/fd.h"

namespace cstl::kubernetes {
namespace {

// What earlier images copied instead.
Status remove_folder(const std::string& path) {
  DIR* open = opendir(path.c_str());
  if (open == nullptr) return fail_errno("profiles.folder");
  while (const dirent* entry = readdir(open)) (void)unlinkat(dirfd(open), entry->d_name, 0);  // rmdir tells what stayed
  (void)closedir(open);  // only read from
  return rmdir(path.c_str()) == 0 ? success() : fail_errno("profiles.folder");
}

}  // namespace

Status link_profiles(const std::string& profiles, const std::string& link) {
  char now[256];
  const ssize_t size = readlink(link.c_str(), now, sizeof now);
  if (size > 0 && profiles == std::string(now, static_cast<size_t>(size))) return success();
  TRY(make_folders(link.substr(0, link.rfind('/')), 0755));
  struct stat info {};
  if (lstat(link.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) TRY(remove_folder(link));
  const std::string temporary = link + ".new";
  if (unlink(temporary.c_str()) != 0 && errno != ENOENT) return fail_errno("profiles.link");
  if (symlink(profiles.c_str(), temporary.c_str()) != 0) return fail_errno("profiles.link");
  if (rename(temporary.c_str(), link.c_str()) != 0) return fail_errno("profiles.link");
  return success();
}

}  // namespace cstl::kubernetes
