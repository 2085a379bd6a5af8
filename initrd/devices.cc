#include "initrd/devices.h"

#include <cerrno>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/base/fd.h"
#include "crypto/base/log.h"

namespace cstl {
namespace {

// Calls `probe` until it is true; false after `timeout_ms`.
template <typename Probe>
bool wait_until(Probe probe, int timeout_ms, std::string_view what) {
  const int64_t start = monotonic_ms();
  int64_t say = 1000;
  while (!probe()) {
    const int64_t passed = monotonic_ms() - start;
    if (passed >= timeout_ms) return false;
    if (passed >= say) {
      log_info("device.waiting", {{"for", what}, {"seconds", passed / 1000}, {"at_most", int64_t{timeout_ms / 1000}}});
      say += 10000;
    }
    usleep(100 * 1000);
  }
  return true;
}

}  // namespace

Result<std::string> wait_for_block_device(std::string_view name, int timeout_ms) {
  Result<std::string> found = std::string();
  const bool there = wait_until(
      [&] {
        found = find_block_device("/sys/class/block", name);
        return !found.ok() || (!found->empty() && access(found->c_str(), F_OK) == 0);
      },
      timeout_ms, name);
  if (!there) return fail(Code::disk_missing, "disk.find");
  return found;
}

Status wait_for_node(const char* path, int timeout_ms, Code missing) {
  if (!wait_until([&] { return access(path, F_OK) == 0; }, timeout_ms, path)) return fail(missing, "device.node");
  return success();
}

Result<BlockDevice> block_device(int fd) {
  BlockDevice out;
  int read_only = 0;
  if (ioctl(fd, BLKGETSIZE64, &out.size) != 0 || ioctl(fd, BLKROGET, &read_only) != 0)
    return fail(Code::disk_failed, "disk.size", Origin::errno_value, errno);
  out.read_only = read_only != 0;
  return out;
}

}  // namespace cstl
